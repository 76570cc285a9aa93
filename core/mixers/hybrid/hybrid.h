#pragma once

#include "core/mixers/branch.h"
#include "core/mixers/hybrid/hybrid_spec.h"

namespace hyscale::model {

/// Two projected branches on the same input, the second added to or subtracted from the first: HybridSpec.
class HybridMixer final : public Mixer {
 public:
  HybridMixer(const spec::HybridSpec& spec, const MixerContext& context, const ParameterTable& parameters,
              const std::string& prefix);
  void forward(const Tensor& x, const Tensor& out, BatchShape shape, const Exec& exec) override;
  void backward(const Tensor& x, const Tensor& dout, const Tensor& dx, const Exec& exec) override;

 private:
  double sign_of_second_;
  std::unique_ptr<ProjectedBranch> first_, second_;
};

}  // namespace hyscale::model
