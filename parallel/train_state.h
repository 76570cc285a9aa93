#pragma once

#include <memory>

#include "core/model/model.h"
#include "core/spec/run_config.h"
#include "core/tensor/tensor_group.h"
#include "parallel/device.h"
#include "parallel/mesh.h"
#include "parallel/optimizer.h"
#include "parallel/step_options.h"
#include "storage/files/checkpoint.h"

namespace hyscale::parallel {

/// Rank 0 reads the weights of `checkpoint` (null elsewhere), all ranks get their part of them. Throws DamagedFile when
/// an array is missing or has another size. Collective.
void load_weights(const storage::CheckpointReader* checkpoint, model::ParameterTable& parameters, Collective& ranks);

/// All that training changes: weights (whole on every rank, or its part where several share the model) and AdamW's
/// moments (sharded over the data group).
class TrainState {
 public:
  /// `device` and the groups' collectives must outlive it.
  /// `beside`: groups for a thread that sums gradients while the backward pass goes on; null: that is done afterwards.
  TrainState(const spec::RunConfig& config, const WorkDevice& device, const Groups& groups,
             const StepOptions& step = {}, const Groups* beside = nullptr);

  model::Model& model() { return model_; }

  /// Adds a micro-batch's gradients and loss to the step's, of which it is the last or not. Enqueued on a GPU.
  void accumulate(const model::TokenBatch& batch, double scale, bool last) {
    model_.accumulate(batch, scale, last ? optimizer_->gradients_done() : model::GradientsDone{});
  }
  /// What a step over all ranks gave.
  struct StepResult {
    double nll = 0;            // Σ over the batch, nats
    double gradient_norm = 0;  // before clipping
  };
  /// The step (1-based) from what was accumulated: nothing changes when the gradient norm is not finite. Waits for the
  /// result. Collective.
  StepResult finish_step(int64_t step, double lr);

  /// The state before the first step.
  void initialise(int64_t seed);
  /// Rank 0 reads `checkpoint` (null elsewhere), all ranks get their part of it, whatever mesh wrote it. Throws
  /// DamagedFile when an array is missing or has another size. Collective.
  void load(const storage::CheckpointReader* checkpoint);

  /// What this rank holds of the state, in host memory: its part of the model, its shard of that part's moments.
  struct Share {
    std::vector<float> weights, m, v;
  };
  void copy_share(Share& share) const;
  /// Brings the shares of all ranks together, and rank 0 writes; training may go on meanwhile when `groups` (those of
  /// the same ranks) are used for nothing else. Throws, on rank 0 alone, what storage::write_checkpoint throws.
  /// Collective.
  void write(const Share& share, const std::string& path, const storage::CheckpointInfo& info,
             const Groups& groups) const;
  /// Both.
  void save(const std::string& path, const storage::CheckpointInfo& info) const;

 private:
  Groups groups_;
  DeviceContext& context_;
  std::unique_ptr<TensorGroup> tensor_group_;  // null when the model is whole here
  model::Model model_;
  std::unique_ptr<Optimizer> optimizer_;
};

}  // namespace hyscale::parallel
