#include "parallel/checkpoint_writer.h"

#include <utility>

namespace hyscale::parallel {

CheckpointWriter::CheckpointWriter(const TrainState& state, const Groups& groups, bool beside, const Clock& clock)
    : state_(state), groups_(groups), beside_(beside), clock_(clock) {}
CheckpointWriter::~CheckpointWriter() {
  if (thread_.joinable()) thread_.join();
}

void CheckpointWriter::start(const std::string& path, const storage::CheckpointInfo& info, Around around) {
  const double begin = clock_.steady_seconds();
  wait();
  state_.copy_share(share_);
  const auto work = [this, path, info, around = std::move(around)] {
    const bool writes = groups_.world.rank() == 0;
    try {
      if (writes) around.before();
      state_.write(share_, path, info, groups_);
      if (writes) around.after();
    } catch (...) {
      error_ = std::current_exception();
    }
    done_ = true;
  };
  done_ = false;
  if (beside_)
    thread_ = std::thread(work);
  else
    work();
  waited_ += clock_.steady_seconds() - begin;
  ++started_;
}

void CheckpointWriter::check() {
  if (done_ && error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void CheckpointWriter::wait() {
  if (thread_.joinable()) thread_.join();
  check();
}

}  // namespace hyscale::parallel
