#include "core/mixers/hybrid/hybrid.h"

namespace hyscale::model {
namespace {

std::unique_ptr<ProjectedBranch> make_projected(const spec::MixerSpec& spec, const MixerContext& context,
                                                bool group_norm, const ParameterTable& parameters,
                                                const std::string& prefix) {
  const Parameter& out_weight = parameters.at(prefix + "out.weight");
  // a Mamba branch norms its own value together with the gate
  if (spec.kind() == "mamba2")
    return std::make_unique<ProjectedBranch>(make_mamba2_branch(spec, context, parameters, prefix), out_weight);
  const Parameter* const norm = group_norm ? &parameters.at(prefix + "norm.weight") : nullptr;
  return std::make_unique<ProjectedBranch>(make_attention_branch(spec, context, parameters, prefix), out_weight, norm,
                                           context.norm_epsilon);
}

}  // namespace

HybridMixer::HybridMixer(const spec::HybridSpec& spec, const MixerContext& context, const ParameterTable& parameters,
                         const std::string& prefix)
    : sign_of_second_(spec.fusion == spec::HybridFusion::subtract ? -1 : 1) {
  const bool group_norm = spec.norm == spec::HybridNorm::group;
  first_ = make_projected(*spec.branches[0], context, group_norm, parameters, prefix + "branches.0.");
  second_ = make_projected(*spec.branches[1], context, group_norm, parameters, prefix + "branches.1.");
}

void HybridMixer::forward(const Tensor& x, const Tensor& out, BatchShape shape, const Exec& exec) {
  second_->forward(x, out, {.sign = sign_of_second_}, shape, exec);
  first_->forward(x, out, {.accumulate = true}, shape, exec);
}

void HybridMixer::backward(const Tensor& x, const Tensor& dout, const Tensor& dx, const Exec& exec) {
  second_->backward(x, dout, dx, {.sign = sign_of_second_}, exec);
  first_->backward(x, dout, dx, {.accumulate = true}, exec);
}

std::unique_ptr<Mixer> make_hybrid(const spec::MixerSpec& spec, const MixerContext& context,
                                   const ParameterTable& parameters, const std::string& prefix) {
  return std::make_unique<HybridMixer>(dynamic_cast<const spec::HybridSpec&>(spec), context, parameters, prefix);
}

}  // namespace hyscale::model
