#include "core/mixers/hybrid/hybrid.h"

#include "core/tensor/parallel_for.h"

namespace hyscale::model {
namespace {

std::unique_ptr<ProjectedBranch> make_projected(const spec::MixerSpec& spec, int64_t d_model, bool group_norm,
                                                const ParameterTable& parameters, const std::string& prefix) {
  const Parameter& out_weight = parameters.at(prefix + "out.weight");
  // a Mamba branch norms its own value together with the gate
  if (spec.kind() == "mamba2")
    return std::make_unique<ProjectedBranch>(make_mamba2_branch(spec, d_model, parameters, prefix), out_weight);
  const Parameter* const norm = group_norm ? &parameters.at(prefix + "norm.weight") : nullptr;
  return std::make_unique<ProjectedBranch>(make_attention_branch(spec, d_model, parameters, prefix), out_weight, norm);
}

/// to = -from, both dense; `to` may be `from`.
void negate(const Tensor& to, const Tensor& from) {
  with_real(to.dtype(), [&](auto real) {
    using T = decltype(real);
    T* const target = to.as<T>();
    const T* const source = from.as<const T>();
    parallel_for(to.numel(), 1 << 15, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) target[i] = -source[i];
    });
  });
}

}  // namespace

HybridMixer::HybridMixer(const spec::HybridSpec& spec, int64_t d_model, const ParameterTable& parameters,
                         const std::string& prefix)
    : subtract_(spec.fusion == spec::HybridFusion::subtract) {
  const bool group_norm = spec.norm == spec::HybridNorm::group;
  first_ = make_projected(*spec.branches[0], d_model, group_norm, parameters, prefix + "branches.0.");
  second_ = make_projected(*spec.branches[1], d_model, group_norm, parameters, prefix + "branches.1.");
}

// The second branch goes first, so that the first can be added to what is already negated.
void HybridMixer::forward(const Tensor& x, const Tensor& out, BatchShape shape, const Exec& exec) {
  second_->forward(x, out, shape, exec);
  if (subtract_) negate(out, out);
  first_->forward(x, out, true, shape, exec);
}

void HybridMixer::backward(const Tensor& x, const Tensor& dout, const Tensor& dx, const Exec& exec) {
  const Arena::Scope scope(*exec.arena);
  Tensor of_second = dout;
  if (subtract_) {
    of_second = exec.arena->tensor(dout.dtype(), dout.shape());
    negate(of_second, dout);
  }
  second_->backward(x, of_second, dx, exec);
  first_->backward(x, dout, dx, true, exec);
}

std::unique_ptr<Mixer> make_hybrid(const spec::MixerSpec& spec, int64_t d_model, const ParameterTable& parameters,
                                   const std::string& prefix) {
  return std::make_unique<HybridMixer>(dynamic_cast<const spec::HybridSpec&>(spec), d_model, parameters, prefix);
}

}  // namespace hyscale::model
