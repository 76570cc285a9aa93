#pragma once

#include <memory>

#include "core/mixers/parameters.h"
#include "core/spec/run_config.h"
#include "core/tensor/device_context.h"
#include "parallel/optimizer.h"

namespace hyscale::parallel {

/// AdamW on one GPU that holds the whole model: two passes over memory, recorded once. What changes from step to step
/// (learning rate, bias corrections, the gradient norm behind the clipping) lies in the GPU's memory.
class GpuOptimizer final : public Optimizer {
 public:
  /// `parameters` and `context` must outlive it. Moments start at zero.
  GpuOptimizer(model::ParameterTable& parameters, const spec::OptimizerConfig& config, DeviceContext& context);

  void step(int64_t step, double lr) override;
  double gradient_norm() override;
  void copy_moments(std::vector<float>& m, std::vector<float>& v) const override;
  void set_moments(std::span<const float> m, std::span<const float> v) override;

 private:
  void enqueue();

  model::ParameterTable& parameters_;
  spec::OptimizerConfig config_;
  DeviceContext& context_;
  OwnedTensor m_, v_;     // f32 [flat]
  OwnedTensor decays_;    // i32: a bit for each 64 elements (optim/gpu_adamw.h)
  OwnedTensor schedule_;  // f64 [4]: learning rate, both bias corrections, the sum of squared gradients
  Arena arena_;
  RecordedWork recorded_;
};

}  // namespace hyscale::parallel
