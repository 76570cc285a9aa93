#pragma once

#include <cstdint>
#include <memory>
#include <set>

#include "core/base/clock.h"
#include "core/data/mixture.h"
#include "parallel/batch_buffer.h"
#include "parallel/checkpoint_writer.h"
#include "parallel/mesh.h"
#include "parallel/recorder.h"
#include "parallel/run_identity.h"
#include "parallel/stop_request.h"
#include "parallel/train_state.h"

namespace hyscale::parallel {

/// When and how, with every default resolved.
struct TrainerPlan {
  int64_t micro_batch = 1;       // sequences of one forward pass on one rank
  int64_t checkpoint_every = 0;  // steps; 0: by time
  std::set<int64_t> pinned;      // steps whose checkpoints are kept for ever
  int keep = 2;
  int64_t eval_every = 0;  // steps; 0: at the end only
};

/// The loop: from the state after `step` steps to the end of the run. All ranks run it alike; rank 0 has a recorder.
/// Between two steps, in this order: the ranks agree on what is due, checkpoint, evaluate, stop.
class Trainer {
 public:
  /// `writer` writes the checkpoints of `state`.
  Trainer(const RunIdentity& identity, const data::Mixture& data, TrainState& state, CheckpointWriter& writer,
          const Groups& groups, const storage::RunDirectory& run, TrainerPlan plan, Recorder* recorder,
          StopRequest& stop, const Clock& clock);

  /// Returns StopReason::none when the run is done, else why it stopped; a checkpoint of the last step is there
  /// either way. `checkpoint_first`: a branch that needs a checkpoint of its own. Throws DivergedError (on all ranks)
  /// when a loss or gradient is not finite, and what writing a checkpoint throws.
  StopReason run(int64_t step, bool checkpoint_first);

 private:
  struct Due {
    StopReason stop = StopReason::none;
    bool checkpoint = false, evaluate = false;
  };
  Due agree();
  StopReason steps();
  void train_step();
  /// Calls visit(batch, scale, whether it is the last) for this rank's micro-batches of the step at hand.
  template <class F>
  void for_each_micro_batch(F&& visit);
  std::string find_nonfinite();
  void checkpoint();
  void evaluate();
  bool checkpoint_due() const;

  const RunIdentity& identity_;
  const data::Mixture& data_;
  TrainState& state_;
  CheckpointWriter& writer_;
  Groups groups_;
  storage::RunDirectory run_;
  TrainerPlan plan_;
  Recorder* recorder_;  // null but on rank 0
  StopRequest& stop_;
  const Clock& clock_;
  data::BatchPlan batches_;
  BatchBuffer buffer_;
  int64_t step_ = 0;            // completed
  int64_t saved_ = -1;          // step of the newest checkpoint of this attempt
  double next_checkpoint_ = 0;  // steady seconds
};

}  // namespace hyscale::parallel
