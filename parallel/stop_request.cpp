#include "parallel/stop_request.h"

#include <array>
#include <csignal>
#include <filesystem>
#include <limits>
#include <utility>

namespace hyscale::parallel {
namespace {

constexpr std::array kSignals = {SIGTERM, SIGUSR1, SIGINT};
constexpr double kLookSeconds = 1.0;

volatile std::sig_atomic_t signal_seen = 0;

void note(int number) {
  if (number == SIGINT && signal_seen != 0) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
  signal_seen = 1;
}

}  // namespace

const char* sentence(StopReason reason) {
  switch (reason) {
    case StopReason::time_limit:
      return "the time limit is reached";
    case StopReason::stop_file:
      return "the stop file is there";
    case StopReason::signal:
      return "a signal asked for it";
    case StopReason::none:
      break;
  }
  return "nobody asked";
}

StopRequest::StopRequest(std::string stop_file, double started, double time_limit, const Clock& clock)
    : stop_file_(std::move(stop_file)),
      deadline_(time_limit > 0 ? started + time_limit : std::numeric_limits<double>::infinity()),
      clock_(clock) {
  signal_seen = 0;
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  for (const int number : kSignals) ::sigaction(number, &action, nullptr);
}
StopRequest::~StopRequest() {
  // mpirun hands a request on more than once: a second one must not kill what is already ending.
  for (const int number : kSignals) std::signal(number, number == SIGINT ? SIG_DFL : SIG_IGN);
}

StopReason StopRequest::asked() {
  if (signal_seen != 0) return StopReason::signal;
  const double now = clock_.steady_seconds();
  if (now >= next_look_) {
    next_look_ = now + kLookSeconds;
    file_seen_ = std::filesystem::exists(stop_file_);
  }
  if (file_seen_) return StopReason::stop_file;
  return now >= deadline_ ? StopReason::time_limit : StopReason::none;
}

}  // namespace hyscale::parallel
