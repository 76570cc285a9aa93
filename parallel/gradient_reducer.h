#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "parallel/mesh.h"

namespace hyscale::parallel {

/// Sums gradients over the data group while the backward pass goes on: each range of the flat array is handed over as
/// soon as this rank is done with it, a thread reduce-scatters one after the other. The bits are those of one
/// reduce-scatter of the whole array.
class GradientReducer {
 public:
  /// Rank r of `ranks`, which nobody else uses, gets the sums of elements r × shard … (r + 1) × shard - 1. The waits of
  /// `finish` are added to `waits` (may be null). All must outlive it.
  GradientReducer(std::span<float> gradients, size_t shard, Collective& ranks, Waits* waits);
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;

  /// Nobody touches elements begin … end - 1 until `finish`. All ranks hand over the same ranges in the same order.
  void hand_over(int64_t begin, int64_t end);
  /// Waits until all are summed. Returns whether there were any; throws what a transfer threw.
  bool finish();

 private:
  struct Range {
    size_t begin, end;
  };
  void work();
  void reduce(Range range);

  const std::span<float> gradients_;
  const size_t shard_;
  Collective& ranks_;
  Waits* waits_;
  std::vector<size_t> ends_;  // of the thread
  std::mutex mutex_;          // guards what follows
  std::condition_variable changed_;
  std::deque<Range> waiting_;
  bool busy_ = false, any_ = false, over_ = false;
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace hyscale::parallel
