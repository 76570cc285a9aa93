#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "core/base/exit_code.h"

namespace hyscale::parallel {

/// Ends this process, and so by its launcher all ranks, when an operation that needs other ranks takes too long: a rank
/// that hangs or was stopped must not hold up the rest for ever. Ranks speak in turn, two seconds apart, so that a
/// person reads one message.
class Watchdog {
 public:
  static constexpr double kUsualLimit = 600;  // seconds: one rank may be reading or writing a large file meanwhile

  /// `rank`: of this process in the world. `limit`: seconds; 0: it never bites.
  Watchdog(int rank, double limit);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// What else is done with the message before the end; called on the watchdog's own thread. It must not talk to ranks.
  void on_end(std::function<void(const std::string&)> last_deed);

  /// While it lives the process waits in `operation` ("all-reduce") of `group` ("ranks 0, 2"). Costs three stores.
  /// The texts must outlive it. One at a time. Null: nobody watches.
  class Waiting {
   public:
    Waiting(Watchdog* dog, const char* operation, const std::string& group) : dog_(dog) {
      if (dog_ == nullptr) return;
      dog_->group_.store(group.c_str(), std::memory_order_relaxed);
      dog_->count_.store(dog_->count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      dog_->operation_.store(operation, std::memory_order_release);
    }
    ~Waiting() {
      if (dog_ != nullptr) dog_->operation_.store(nullptr, std::memory_order_release);
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    Watchdog* dog_;
  };

  static constexpr const char* kStart = "start";  // the operation in which the ranks find each other

 private:
  void watch();
  [[noreturn]] void bite(const char* operation, const char* group);

  const int rank_;
  const double limit_;
  std::atomic<const char*> operation_{nullptr}, group_{nullptr};
  std::atomic<uint64_t> count_{0};
  std::mutex mutex_;  // guards what follows
  std::condition_variable ended_;
  bool over_ = false;
  std::function<void(const std::string&)> last_deed_;
  std::thread thread_;
};

}  // namespace hyscale::parallel
