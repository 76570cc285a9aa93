#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/mixers/parameters.h"
#include "core/optim/adamw.h"
#include "core/spec/run_config.h"
#include "core/tensor/collective.h"
#include "parallel/optimizer.h"

namespace hyscale::parallel {

/// AdamW whose moments are sharded over the ranks (ZeRO-1, Rajbhandari et al. 2020): gradients are reduce-scattered,
/// each rank updates its shard of the flat weights, the weights are all-gathered. The flat arrays are cut into equal
/// shards, the last one padded with zeros. With one rank nothing is copied.
class ShardedOptimizer final : public Optimizer {
 public:
  /// `parameters` (f32) and `ranks` must outlive it. Moments start at zero.
  ShardedOptimizer(model::ParameterTable& parameters, const spec::OptimizerConfig& config, Collective& ranks);

  void step(int64_t step, double lr) override;
  double gradient_norm() override { return norm_; }
  std::vector<float> gather_m() const override { return gather(m_); }
  std::vector<float> gather_v() const override { return gather(v_); }
  void set_moments(std::span<const float> m, std::span<const float> v) override;

 private:
  std::vector<float> gather(const std::vector<float>& shard) const;
  std::span<float> padded(const Tensor& flat, std::vector<float>& copy) const;
  void update(std::span<float> weights, std::span<const float> gradients, double scale, int64_t step, double lr);

  model::ParameterTable& parameters_;
  spec::OptimizerConfig config_;
  Collective& ranks_;
  double norm_ = 0;
  size_t flat_ = 0, shard_ = 0, begin_ = 0;               // elements; this rank's shard begins at begin_
  std::vector<optim::DecayRange> ranges_;                 // of this shard, relative to begin_
  std::vector<float> m_, v_;                              // [shard]
  std::vector<float> padded_weights_, padded_gradients_;  // used when the flat length does not split evenly
};

/// Runs of equal decay over the flat arrays, padding included (it does not decay).
std::vector<optim::DecayRange> decay_ranges(const model::ParameterTable& parameters);

}  // namespace hyscale::parallel
