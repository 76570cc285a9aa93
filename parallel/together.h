#pragma once

#include <exception>
#include <functional>

#include "core/base/exit_code.h"
#include "core/tensor/collective.h"

namespace hyscale::parallel {

/// The exit status that stands for an exception.
ExitCode code_of(const std::exception& e);

/// Runs `work` on every rank. When it throws anywhere, the lowest such rank throws that error and the others end with
/// its status (CommandEnded), so that a person reads one message and no rank waits for another. Collective.
void together(Collective& ranks, const std::function<void()>& work);

}  // namespace hyscale::parallel
