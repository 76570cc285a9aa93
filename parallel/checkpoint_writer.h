#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <string>
#include <thread>

#include "core/base/clock.h"
#include "parallel/mesh.h"
#include "parallel/train_state.h"

namespace hyscale::parallel {

/// Writes checkpoints while training goes on. Training waits for a copy of each rank's share of the state in memory;
/// a thread of each rank brings the shares together, over communicators of its own, and rank 0's writes the file.
class CheckpointWriter {
 public:
  /// `groups`: used by the writing alone. Without `beside` (an MPI that takes calls from one thread only) `start`
  /// returns when all is written. `state` and the groups must outlive it.
  CheckpointWriter(const TrainState& state, const Groups& groups, bool beside, const Clock& clock);
  /// Waits for what is being written; an error in it is lost.
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  /// What rank 0 does around the writing of the file, in that order.
  struct Around {
    std::function<void()> before, after;
  };
  /// Takes the state as it is now. Waits for the checkpoint before this one. Collective.
  void start(const std::string& path, const storage::CheckpointInfo& info, Around around);
  /// Throws what the writing threw, once. Does not wait; on rank 0 alone can there be anything.
  void check();
  /// Until the last one is on disk; throws what the writing threw.
  void wait();

  /// What training has waited for checkpoints, seconds, and their number.
  double waited() const { return waited_; }
  int64_t started() const { return started_; }

 private:
  const TrainState& state_;
  Groups groups_;
  const bool beside_;
  const Clock& clock_;
  TrainState::Share share_;
  std::thread thread_;
  std::exception_ptr error_;  // of the thread; read when done_ is set
  std::atomic<bool> done_{true};
  double waited_ = 0;
  int64_t started_ = 0;
};

}  // namespace hyscale::parallel
