#include "parallel/watchdog.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/program.h"
#include "parallel/commands.h"

namespace hyscale::parallel {
namespace {

constexpr double kTurnSeconds = 2;
constexpr double kPauseSeconds = 0.5;

Error reason(int rank, double limit, const char* operation, const char* group) {
  const std::string waited = fmt::format("has waited {:.0f} s", limit);
  if (std::strcmp(operation, Watchdog::kStart) == 0)
    return ConfigError({.what = fmt::format("rank {} {} for all ranks to start", rank, waited),
                        .why = fmt::format("{} were to begin together, and one of them is missing", group),
                        .remedy = "start hybrid-worker, and nothing else, on every rank"});
  return Error(ExitCode::failed,
               {{.what = fmt::format("rank {} {} in {} of {}", rank, waited, operation, group),
                 .why = "another of these ranks does not take part: it hangs, was stopped, or works alone for longer "
                        "than --hang-limit allows",
                 .remedy = "look at the hosts of the other ranks; a longer --hang-limit waits longer"}});
}

}  // namespace

Watchdog::Watchdog(int rank, double limit) : rank_(rank), limit_(limit) {
  if (limit_ > 0) thread_ = std::thread([this] { watch(); });
}
Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  ended_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Watchdog::on_end(std::function<void(const std::string&)> last_deed) {
  const std::lock_guard lock(mutex_);
  last_deed_ = std::move(last_deed);
}

void Watchdog::watch() {
  const Clock& clock = Clock::system();
  const auto pause = std::chrono::duration<double>(std::min(kPauseSeconds, limit_ / 4));
  uint64_t seen = 0;
  double since = clock.steady_seconds();
  std::unique_lock lock(mutex_);
  while (!ended_.wait_for(lock, pause, [this] { return over_; })) {
    const char* operation = operation_.load(std::memory_order_acquire);
    const uint64_t count = count_.load(std::memory_order_relaxed);
    const double now = clock.steady_seconds();
    if (operation == nullptr || count != seen) since = now;
    seen = count;
    if (now - since > limit_ + kTurnSeconds * rank_) bite(operation, group_.load(std::memory_order_relaxed));
  }
}

void Watchdog::bite(const char* operation, const char* group) {
  const Error error = reason(rank_, limit_, operation, group);
  if (last_deed_) last_deed_(error.problems().front().what);
  std::_Exit(static_cast<int>(report(kProgram, error)));
}

}  // namespace hyscale::parallel
