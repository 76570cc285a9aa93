#include "parallel/together.h"

#include <array>
#include <limits>
#include <new>
#include <span>

#include "core/base/error.h"
#include "parallel/commands.h"

namespace hyscale::parallel {

ExitCode code_of(const std::exception& e) {
  if (const auto* error = dynamic_cast<const Error*>(&e)) return error->code();
  return dynamic_cast<const std::bad_alloc*>(&e) != nullptr ? ExitCode::out_of_memory : ExitCode::failed;
}

void together(Collective& ranks, const std::function<void()>& work) {
  std::exception_ptr error;
  int64_t code = 0;
  try {
    work();
  } catch (const std::exception& e) {
    error = std::current_exception();
    code = static_cast<int64_t>(code_of(e));
  }
  constexpr int64_t kNobody = std::numeric_limits<int64_t>::min();
  std::array<int64_t, 1> first{error ? -static_cast<int64_t>(ranks.rank()) : kNobody};
  ranks.all_reduce_max(first);
  if (first[0] == kNobody) return;
  ranks.broadcast(std::as_writable_bytes(std::span(&code, 1)), static_cast<int>(-first[0]));
  if (error && first[0] == -ranks.rank()) std::rethrow_exception(error);
  throw CommandEnded{static_cast<ExitCode>(code)};
}

}  // namespace hyscale::parallel
