#pragma once

#include "core/model/model.h"
#include "core/spec/run_config.h"
#include "core/tensor/collective.h"
#include "parallel/sharded_optimizer.h"
#include "storage/files/checkpoint.h"

namespace hyscale::parallel {

/// Rank 0 reads the weights of `checkpoint` (null elsewhere), all ranks get them. Throws DamagedFile when an array is
/// missing or has another size. Collective.
void load_weights(const storage::CheckpointReader* checkpoint, model::ParameterTable& parameters, Collective& ranks);

/// All that training changes: weights (whole on every rank) and AdamW's moments (sharded).
class TrainState {
 public:
  TrainState(const spec::RunConfig& config, Collective& ranks);

  model::Model& model() { return model_; }
  ShardedOptimizer& optimizer() { return optimizer_; }

  /// The state before the first step.
  void initialise(int64_t seed);
  /// Rank 0 reads `checkpoint` (null elsewhere), all ranks get it. Throws DamagedFile when an array is missing or has
  /// another size. Collective.
  void load(const storage::CheckpointReader* checkpoint);
  /// All ranks give, rank 0 writes. Throws what storage::write_checkpoint throws. Collective.
  void save(const std::string& path, const storage::CheckpointInfo& info);

 private:
  Collective& ranks_;
  model::Model model_;
  ShardedOptimizer optimizer_;
};

}  // namespace hyscale::parallel
