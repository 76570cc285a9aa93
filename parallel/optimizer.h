#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/model/model.h"

namespace hyscale::parallel {

/// AdamW over all weights of the model, wherever they and its moments lie.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// One step from the gradients that each rank has accumulated (their sum over the data group is the batch gradient of
  /// this rank's part of the model); clears
  /// them. `step` is 1-based. Weights and moments stay as they are when the gradient norm is not finite. On a GPU it
  /// only enqueues. Collective.
  virtual void step(int64_t step, double lr) = 0;
  /// Global gradient norm of that step, before clipping, over all parts of the model, what several ranks hold copies of
  /// counted once; waits for it.
  virtual double gradient_norm() = 0;

  /// What a step's last micro-batch is to tell of complete gradients (Model::accumulate); empty: nothing.
  virtual model::GradientsDone gradients_done() { return {}; }

  /// Copies this rank's shard of the moments. The shards of the data group, in the order of its ranks and equally long,
  /// are the moments of the flat weights, with some padding behind.
  virtual void copy_moments(std::vector<float>& m, std::vector<float>& v) const = 0;
  /// Takes this rank's part of unsharded moments.
  virtual void set_moments(std::span<const float> m, std::span<const float> v) = 0;
};

}  // namespace hyscale::parallel
