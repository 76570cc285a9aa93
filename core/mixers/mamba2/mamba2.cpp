#include "core/mixers/mamba2/mamba2.h"

#include "core/kernels/gemm.h"

namespace hyscale::model {

Mamba2Branch::Mamba2Branch(const spec::Mamba2Spec& spec, double norm_epsilon, const ParameterTable& parameters,
                           const std::string& prefix)
    : spec_(spec),
      norm_epsilon_(norm_epsilon),
      in_weight_(parameters.at(prefix + "in.weight")),
      conv_weight_(parameters.at(prefix + "conv.weight")),
      conv_bias_(parameters.at(prefix + "conv.bias")),
      dt_bias_(parameters.at(prefix + "dt_bias")),
      a_log_(parameters.at(prefix + "a_log")),
      d_(parameters.at(prefix + "d")),
      norm_weight_(spec.gated_norm ? &parameters.at(prefix + "norm.weight") : nullptr) {}

kernels::CausalConvArgs Mamba2Branch::conv_args() const {
  return {.sequences = shape_.sequences, .u = conv_part(in_), .weight = conv_weight_.weight, .bias = conv_bias_.weight};
}

kernels::SsdInputs Mamba2Branch::scan_inputs() const {
  return {.x = x_part(conv_),
          .b = b_part(conv_),
          .c = c_part(conv_),
          .dt_raw = dt_part(in_),
          .dt_bias = dt_bias_.weight,
          .a_log = a_log_.weight,
          .d = d_.weight,
          .initial_state = {}};
}

kernels::GatedRmsNormArgs Mamba2Branch::norm_args() const {
  return {.y = y_,
          .z = gate(in_),
          .weight = norm_weight_ != nullptr ? norm_weight_->weight : Tensor(),
          .groups = spec_.norm_groups,
          .epsilon = norm_epsilon_};
}

Tensor Mamba2Branch::forward(const Tensor& x, BatchShape shape, const Exec& exec) {
  Arena& arena = *exec.arena;
  const int64_t tokens = shape.tokens();
  shape_ = {.sequences = shape.sequences,
            .length = shape.length,
            .heads = spec_.heads(),
            .head_dim = spec_.head_dim,
            .groups = spec_.groups,
            .d_state = spec_.d_state,
            .chunk = std::min(spec_.chunk, shape.length)};
  in_ = arena.matrix(x.dtype(), tokens, spec_.in_width());
  conv_ = arena.matrix(x.dtype(), tokens, spec_.conv_width());
  y_ = arena.matrix(x.dtype(), tokens, spec_.d_ssm);
  if (norm_weight_ != nullptr) rstd_ = arena.tensor(x.dtype(), {tokens, spec_.norm_groups});
  const Tensor value = arena.matrix(x.dtype(), tokens, spec_.d_ssm);
  kernels::gemm({.out = in_, .a = x, .b = in_weight_.weight, .transpose_b = true}, exec);
  kernels::causal_conv_silu(conv_args(), conv_, exec);
  saved_ = kernels::ssd_forward(shape_, scan_inputs(), y_, {}, exec);
  kernels::gated_rms_norm(norm_args(), value, rstd_, exec);
  return value;
}

void Mamba2Branch::backward(const Tensor& x, const Tensor& dvalue, const Tensor& dx, bool accumulate,
                            const Exec& exec) {
  Arena& arena = *exec.arena;
  const Arena::Scope scope(arena);
  const Tensor din = arena.matrix(x.dtype(), x.extent(0), spec_.in_width()),
               dconv = arena.matrix(x.dtype(), x.extent(0), spec_.conv_width()),
               dy = arena.matrix(x.dtype(), x.extent(0), spec_.d_ssm);
  kernels::gated_rms_norm_backward(norm_args(), rstd_, dvalue, dy, gate(din),
                                   norm_weight_ != nullptr ? norm_weight_->gradient : Tensor(), exec);
  kernels::ssd_backward(shape_, scan_inputs(), saved_, dy,
                        {.x = x_part(dconv),
                         .b = b_part(dconv),
                         .c = c_part(dconv),
                         .dt_raw = dt_part(din),
                         .dt_bias = dt_bias_.gradient,
                         .a_log = a_log_.gradient,
                         .d = d_.gradient},
                        exec);
  kernels::causal_conv_silu_backward(conv_args(), dconv, conv_part(din), conv_weight_.gradient, conv_bias_.gradient,
                                     exec);
  kernels::gemm({.out = in_weight_.gradient, .a = din, .b = x, .transpose_a = true, .accumulate = true}, exec);
  kernels::gemm({.out = dx, .a = din, .b = in_weight_.weight, .accumulate = accumulate}, exec);
}

std::unique_ptr<Branch> make_mamba2_branch(const spec::MixerSpec& spec, const MixerContext& context,
                                           const ParameterTable& parameters, const std::string& prefix) {
  return std::make_unique<Mamba2Branch>(dynamic_cast<const spec::Mamba2Spec&>(spec), context.norm_epsilon, parameters,
                                        prefix);
}

std::unique_ptr<Mixer> make_mamba2(const spec::MixerSpec& spec, const MixerContext& context,
                                   const ParameterTable& parameters, const std::string& prefix) {
  return ProjectedBranch::alone(make_mamba2_branch(spec, context, parameters, prefix), parameters, prefix);
}

}  // namespace hyscale::model
