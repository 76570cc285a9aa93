#pragma once

#include <exception>
#include <functional>

#include "parallel/mpi_collective.h"

namespace hyscale::parallel {

/// Runs `work` on every rank. When it throws anywhere, the lowest such rank reports its error, and then all of them
/// throw CommandEnded with its status: a person reads one message and no rank waits for another. Collective.
void together(Collective& ranks, const std::function<void()>& work);

/// The end of work that the ranks do in step, for an error that one of them may have met alone while the others wait
/// for it: reports the error and ends every rank with its status. A lone worker goes on throwing it. Call it in the
/// handler that caught the error.
[[noreturn]] void end_all_ranks(World& world, const std::exception& e);

}  // namespace hyscale::parallel
