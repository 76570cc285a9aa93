#include "core/mixers/mamba2/mamba2.h"

#include "core/kernels/gemm.h"
#include "core/kernels/repeat_heads.h"

namespace hyscale::model {

Mamba2Branch::Mamba2Branch(const spec::Mamba2Spec& spec, double norm_epsilon, const ParameterTable& parameters,
                           const std::string& prefix, SharedValue* shared)
    : spec_(spec),
      shared_(shared),
      norm_epsilon_(norm_epsilon),
      in_weight_(parameters.at(prefix + "in.weight")),
      spare_(in_weight_.all_weight_rows.extent(0) - in_weight_.weight.extent(0)),
      conv_weight_(parameters.at(prefix + "conv.weight")),
      conv_bias_(parameters.at(prefix + "conv.bias")),
      dt_bias_(parameters.at(prefix + "dt_bias")),
      a_log_(parameters.at(prefix + "a_log")),
      d_(parameters.at(prefix + "d")),
      norm_weight_(spec.gated_norm ? &parameters.at(prefix + "norm.weight") : nullptr) {}

kernels::CausalConvArgs Mamba2Branch::conv_args() const {
  return {.sequences = shape_.sequences,
          .u = conv_part(in_),
          .weight = conv_weight_.weight,
          .bias = conv_bias_.weight,
          .document_begins = document_begins_};
}

kernels::SsdInputs Mamba2Branch::scan_inputs() const {
  return {.x = x_part(conv_),
          .b = b_part(conv_),
          .c = c_part(conv_),
          .dt_raw = dt_part(in_),
          .dt_bias = dt_bias_.weight,
          .a_log = a_log_.weight,
          .d = d_.weight,
          .initial_state = {},
          .document_begins = document_begins_};
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
  document_begins_ = shape.document_begins;
  in_ = arena.matrix(x.dtype(), tokens, spec_.in_width() + spare_);
  conv_ = arena.matrix(x.dtype(), tokens, spec_.conv_width());
  y_ = arena.matrix(x.dtype(), tokens, spec_.d_ssm);
  if (norm_weight_ != nullptr) rstd_ = arena.tensor(wide(x.dtype()), {tokens, spec_.norm_groups});
  const Tensor value = arena.matrix(x.dtype(), tokens, spec_.d_ssm);
  project_in(x, exec);
  kernels::causal_conv_silu(conv_args(), conv_, exec);
  saved_ = kernels::ssd_forward(shape_, scan_inputs(), y_, {}, exec);
  kernels::gated_rms_norm(norm_args(), value, rstd_, exec);
  return value;
}

void Mamba2Branch::backward(const Tensor& x, const Tensor& dvalue, const Tensor& dx, bool accumulate,
                            const Exec& exec) {
  Arena& arena = *exec.arena;
  const Arena::Scope scope(arena);
  const Tensor din = arena.matrix(x.dtype(), x.extent(0), spec_.in_width() + spare_),
               dconv = arena.matrix(x.dtype(), x.extent(0), spec_.conv_width()),
               dy = arena.matrix(x.dtype(), x.extent(0), spec_.d_ssm);
  kernels::gated_rms_norm_backward(norm_args(), rstd_, dvalue, dy, gate(din),
                                   norm_weight_ != nullptr ? norm_weight_->gradient : Tensor(), exec);
  kernels::ssd_backward(shape_, scan_inputs(), saved_, dy,
                        {.x = x_part(dconv),
                         .b = b_part(dconv),
                         .c = c_part(dconv),
                         .dt_raw = din.slice(1, spec_.in_width() - spec_.heads(), spec_.heads() + spare_),
                         .dt_bias = dt_bias_.gradient,
                         .a_log = a_log_.gradient,
                         .d = d_.gradient},
                        exec);
  kernels::causal_conv_silu_backward(conv_args(), dconv, conv_part(din), conv_weight_.gradient, conv_bias_.gradient,
                                     exec);
  project_in_backward(x, din, dx, accumulate, exec);
}

// z | x | B | C | dt is one product, which also makes spare columns of 0; without an x of its own, z and B | C | dt are
// one each.
std::array<Mamba2Branch::Columns, 2> Mamba2Branch::projected() const {
  if (spec_.own_value) return {{{.begin = 0, .row = 0, .count = spec_.in_width() + spare_}, {}}};
  const int64_t s = spec_.d_ssm;
  return {{{.begin = 0, .row = 0, .count = s}, {.begin = 2 * s, .row = s, .count = spec_.in_width() + spare_ - 2 * s}}};
}

void Mamba2Branch::project_in(const Tensor& x, const Exec& exec) {
  for (const Columns& part : projected())
    if (part.count > 0)
      kernels::gemm({.out = in_.slice(1, part.begin, part.count),
                     .a = x,
                     .b = in_weight_.all_weight_rows.slice(0, part.row, part.count),
                     .transpose_b = true},
                    exec);
  if (!spec_.own_value)
    kernels::repeat_heads({.out = value_part(in_), .x = shared_->rows, .kv_heads = shared_->kv_heads}, exec);
}

void Mamba2Branch::project_in_backward(const Tensor& x, const Tensor& din, const Tensor& dx, bool accumulate,
                                       const Exec& exec) {
  for (const Columns& part : projected()) {
    if (part.count == 0) continue;
    const Tensor columns = din.slice(1, part.begin, part.count);
    kernels::gemm({.out = in_weight_.all_gradient_rows.slice(0, part.row, part.count),
                   .a = columns,
                   .b = x,
                   .transpose_a = true,
                   .accumulate = true},
                  exec);
    kernels::gemm({.out = dx,
                   .a = columns,
                   .b = in_weight_.all_weight_rows.slice(0, part.row, part.count),
                   .accumulate = accumulate || part.begin > 0},
                  exec);
  }
  if (!spec_.own_value)
    kernels::sum_heads({.dx = shared_->gradient, .dout = value_part(din), .kv_heads = shared_->kv_heads}, exec);
}

std::unique_ptr<Branch> make_mamba2_branch(const spec::MixerSpec& spec, const MixerContext& context,
                                           const ParameterTable& parameters, const std::string& prefix,
                                           SharedValue* shared) {
  return std::make_unique<Mamba2Branch>(dynamic_cast<const spec::Mamba2Spec&>(spec), context.norm_epsilon, parameters,
                                        prefix, shared);
}

std::unique_ptr<Mixer> make_mamba2(const spec::MixerSpec& spec, const MixerContext& context,
                                   const ParameterTable& parameters, const std::string& prefix) {
  return make_projected_branch(make_mamba2_branch(spec, context, parameters, prefix), parameters, prefix);
}

}  // namespace hyscale::model
