#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/mixers/parameters.h"
#include "core/optim/adamw.h"
#include "core/spec/run_config.h"
#include "parallel/gradient_reducer.h"
#include "parallel/mesh.h"
#include "parallel/optimizer.h"

namespace hyscale::parallel {

/// Elements begin … end - 1 of the flat arrays.
struct FlatRange {
  int64_t begin = 0, end = 0;
};

/// AdamW whose moments are sharded over the data group (ZeRO-1, Rajbhandari et al. 2020): gradients are
/// reduce-scattered, each rank updates its shard of the flat weights, the weights are all-gathered. The flat arrays are
/// cut into equal shards, the last one padded with zeros. With one rank nothing is copied. The gradient norm is that of
/// all ranks.
class ShardedOptimizer final : public Optimizer {
 public:
  /// `parameters` (f32) and the groups' collectives must outlive it. Moments start at zero. `beside`: the data group
  /// for a thread that sums gradients while the backward pass goes on; null: they are summed afterwards. The bits are
  /// the same.
  ShardedOptimizer(model::ParameterTable& parameters, const spec::OptimizerConfig& config, const Groups& groups,
                   Collective* beside = nullptr);

  void step(int64_t step, double lr) override;
  double gradient_norm() override { return norm_; }
  model::GradientsDone gradients_done() override;
  void copy_moments(std::vector<float>& m, std::vector<float>& v) const override { m = m_, v = v_; }
  void set_moments(std::span<const float> m, std::span<const float> v) override;

 private:
  double sum_of_squares(std::span<const float> shard) const;
  std::span<float> padded(const Tensor& flat, std::vector<float>& copy) const;
  void update(std::span<float> weights, std::span<const float> gradients, double scale, int64_t step, double lr);

  model::ParameterTable& parameters_;
  spec::OptimizerConfig config_;
  Collective &ranks_, &tensor_;  // of the data group; that hold the other parts of the model
  double norm_ = 0;
  size_t flat_ = 0, shard_ = 0, begin_ = 0;               // elements; this rank's shard begins at begin_
  std::vector<optim::DecayRange> ranges_;                 // of this shard, relative to begin_
  std::vector<FlatRange> counted_;                        // likewise: what the norm counts
  std::vector<float> m_, v_;                              // [shard]
  std::unique_ptr<GradientReducer> reducer_;              // null: gradients are summed in `step`
  std::vector<float> padded_weights_, padded_gradients_;  // used when the flat length does not split evenly
};

/// Runs of equal decay over the flat arrays, padding included (it does not decay).
std::vector<optim::DecayRange> decay_ranges(const model::ParameterTable& parameters);

/// All of the flat arrays but the entries that another rank of the tensor group counts.
std::vector<FlatRange> counted_ranges(const model::ParameterTable& parameters);

}  // namespace hyscale::parallel
