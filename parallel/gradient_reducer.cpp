#include "parallel/gradient_reducer.h"

#include <algorithm>
#include <utility>

#include "core/base/clock.h"

namespace hyscale::parallel {

GradientReducer::GradientReducer(std::span<float> gradients, size_t shard, Collective& ranks, Waits* waits)
    : gradients_(gradients), shard_(shard), ranks_(ranks), waits_(waits), ends_(static_cast<size_t>(ranks.size())) {
  thread_ = std::thread([this] { work(); });
}
GradientReducer::~GradientReducer() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void GradientReducer::hand_over(int64_t begin, int64_t end) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({static_cast<size_t>(begin), static_cast<size_t>(end)});
    any_ = true;
  }
  changed_.notify_all();
}

bool GradientReducer::finish() {
  const Clock& clock = Clock::system();
  const double begin = clock.steady_seconds();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return error_ || (waiting_.empty() && !busy_); });
  if (waits_ != nullptr) waits_->seconds += clock.steady_seconds() - begin;
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  return std::exchange(any_, false);
}

void GradientReducer::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return over_ || !waiting_.empty(); });
    if (over_) return;
    const Range range = waiting_.front();
    waiting_.pop_front();
    busy_ = true;
    lock.unlock();
    std::exception_ptr error;
    try {
      reduce(range);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    busy_ = false;
    if (error) error_ = error;
    changed_.notify_all();
  }
}

void GradientReducer::reduce(Range range) {
  for (size_t rank = 0; rank < ends_.size(); ++rank)
    ends_[rank] = std::clamp((rank + 1) * shard_, range.begin, range.end) - range.begin;
  ranks_.reduce_scatter_sum(gradients_.subspan(range.begin, range.end - range.begin), ends_);
}

}  // namespace hyscale::parallel
