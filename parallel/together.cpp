#include "parallel/together.h"

#include <array>
#include <fmt/format.h>
#include <limits>
#include <span>

#include "core/base/program.h"
#include "parallel/commands.h"

namespace hyscale::parallel {

static ExitCode report(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return hyscale::report(kProgram, e);
  }
}

void together(Collective& ranks, const std::function<void()>& work) {
  std::exception_ptr error;
  try {
    work();
  } catch (const std::exception&) {
    error = std::current_exception();
  }
  constexpr int64_t kNobody = std::numeric_limits<int64_t>::min();
  std::array<int64_t, 1> first{error ? -static_cast<int64_t>(ranks.rank()) : kNobody};
  ranks.all_reduce_max(first);
  if (first[0] == kNobody) return;
  ExitCode code{};
  if (first[0] == -ranks.rank()) code = report(error);
  // A launcher kills all ranks when the first one leaves with a status other than 0. Nobody has the status, and so
  // nobody leaves, before the message is written.
  ranks.broadcast(std::as_writable_bytes(std::span(&code, 1)), static_cast<int>(-first[0]));
  throw CommandEnded{code};
}

void end_all_ranks(World& world, const std::exception& e) {
  if (world.ranks().size() == 1) throw;
  const ExitCode code = hyscale::report(fmt::format("{}: rank {}", kProgram, world.ranks().rank()), e);
  world.abort(static_cast<int>(code));
}

}  // namespace hyscale::parallel
