#pragma once

#include <csignal>
#include <utility>
#include <vector>

namespace hyscale::scheduler {

inline volatile std::sig_atomic_t interrupting_signal = 0;

/// While it lives, these signals end nothing: whoever holds it asks and ends in good order. One at a time.
class Interruptible {
 public:
  explicit Interruptible(std::vector<int> signals) : signals_(std::move(signals)) {
    interrupting_signal = 0;
    for (const int signal : signals_) std::signal(signal, [](int which) { interrupting_signal = which; });
  }
  ~Interruptible() {
    for (const int signal : signals_) std::signal(signal, SIG_DFL);
  }
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;
  bool asked() const { return interrupting_signal != 0; }
  int exit_status() const { return 128 + interrupting_signal; }  // what a shell says of a command that it ended

 private:
  std::vector<int> signals_;
};

}  // namespace hyscale::scheduler
