#include "core/mixers/mamba2/mamba2.h"

#include "core/kernels/repeat_heads.h"
#include "core/kernels/split_rms_norm.h"

namespace hyscale::model {

Mamba2Branch::Mamba2Branch(const spec::Mamba2Spec& spec, const MixerContext& context, const ParameterTable& parameters,
                           const std::string& prefix, SharedValue* shared)
    : spec_(spec),
      shared_(shared),
      norm_epsilon_(context.norm_epsilon),
      ranks_(context.ranks),
      in_weight_(parameters.at(prefix + "in.weight")),
      spare_(in_weight_.all_weight_rows.extent(0) - in_weight_.weight.extent(0)),
      conv_weight_(parameters.at(prefix + "conv.weight")),
      conv_bias_(parameters.at(prefix + "conv.bias")),
      dt_bias_(parameters.at(prefix + "dt_bias")),
      a_log_(parameters.at(prefix + "a_log")),
      d_(parameters.at(prefix + "d")),
      norm_weight_(spec.gated_norm ? &parameters.at(prefix + "norm.weight") : nullptr),
      in_projections_(in_projections()) {}

kernels::CausalConvArgs Mamba2Branch::conv_args() const {
  return {.sequences = shape_.sequences,
          .u = conv_part(in_),
          .weight = conv_weight_.weight,
          .bias = conv_bias_.weight,
          .document_begins = document_begins_,
          .history = history_};
}

kernels::SsdInputs Mamba2Branch::scan_inputs() const {
  return {.x = x_part(conv_),
          .b = b_part(conv_),
          .c = c_part(conv_),
          .dt_raw = dt_part(in_),
          .dt_bias = dt_bias_.weight,
          .a_log = a_log_.weight,
          .d = d_.weight,
          .initial_state = state_,
          .document_begins = document_begins_};
}

kernels::GatedRmsNormArgs Mamba2Branch::norm_args() const {
  return {.y = y_,
          .z = gate(in_),
          .weight = norm_weight_ != nullptr ? norm_weight_->weight : Tensor(),
          .groups = spec_.norm_groups,
          .epsilon = norm_epsilon_};
}

kernels::GatedRmsNormArgs Mamba2Branch::gate_args() const { return {.y = y_, .z = gate(in_), .weight = {}}; }

void Mamba2Branch::norm(const Tensor& value, const Exec& exec) {
  if (!norm_is_split()) return kernels::gated_rms_norm(norm_args(), value, rstd_, exec);
  kernels::gated_rms_norm(gate_args(), value, {}, exec);
  kernels::split_rms_norm({.out = value,
                           .rstd = rstd_,
                           .x = value,
                           .weight = norm_weight_->weight,
                           .first = spec_.value_range().begin,
                           .width = spec_.whole->d_ssm / spec_.norm_groups,
                           .epsilon = norm_epsilon_},
                          *ranks_, exec);
}

void Mamba2Branch::norm_backward(const Tensor& dvalue, const Tensor& dy, const Tensor& dz, const Exec& exec) {
  if (!norm_is_split())
    return kernels::gated_rms_norm_backward(norm_args(), rstd_, dvalue, dy, dz,
                                            norm_weight_ != nullptr ? norm_weight_->gradient : Tensor(), exec);
  const Arena::Scope scratch(*exec.arena);
  const Tensor gated = exec.arena->matrix(y_.dtype(), y_.extent(0), y_.extent(1));
  kernels::gated_rms_norm(gate_args(), gated, {}, exec);
  kernels::split_rms_norm_backward({.dx = dy,
                                    .dweight = norm_weight_->gradient,
                                    .dout = dvalue,
                                    .x = gated,
                                    .rstd = rstd_,
                                    .weight = norm_weight_->weight,
                                    .first = spec_.value_range().begin,
                                    .width = spec_.whole->d_ssm / spec_.norm_groups},
                                   *ranks_, exec);
  kernels::gated_rms_norm_backward(gate_args(), {}, dy, dy, dz, {}, exec);
}

// States are f32 whatever the layers compute in.
void Mamba2Branch::take_past(const BatchShape& shape, DType dtype) {
  history_ = state_ = {};
  if (shape.past == nullptr) return;
  if (spec_.conv > 1) history_ = shape.of_past(shape.past->kept(this, 0, dtype, {spec_.conv - 1, spec_.conv_width()}));
  state_ = shape.of_past(shape.past->kept(this, 1, wide(dtype), {shape_.heads, shape_.d_state, shape_.head_dim}));
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
  take_past(shape, x.dtype());
  in_ = arena.matrix(x.dtype(), tokens, spec_.in_width() + spare_);
  conv_ = arena.matrix(x.dtype(), tokens, spec_.conv_width());
  y_ = arena.matrix(x.dtype(), tokens, spec_.d_ssm);
  if (norm_weight_ != nullptr) rstd_ = arena.tensor(wide(x.dtype()), {tokens, spec_.norm_groups});
  const Tensor value = arena.matrix(x.dtype(), tokens, spec_.d_ssm);
  project_in(x, exec);
  kernels::causal_conv_silu(conv_args(), conv_, exec);
  if (!history_.empty()) kernels::remember_inputs(conv_args());
  if (!state_.empty() && shape.length == 1)
    kernels::ssd_recurrence(shape_, scan_inputs(), y_, state_);
  else
    saved_ = kernels::ssd_forward(shape_, scan_inputs(), y_, state_, exec);
  norm(value, exec);
  return value;
}

void Mamba2Branch::backward(const Tensor& x, const Tensor& dvalue, const Tensor& dx, bool accumulate,
                            const Exec& exec) {
  Arena& arena = *exec.arena;
  const Arena::Scope scope(arena);
  const Tensor din = arena.matrix(x.dtype(), x.extent(0), spec_.in_width() + spare_),
               dconv = arena.matrix(x.dtype(), x.extent(0), spec_.conv_width()),
               dy = arena.matrix(x.dtype(), x.extent(0), spec_.d_ssm);
  norm_backward(dvalue, dy, gate(din), exec);
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
std::vector<Mamba2Branch::InProjection> Mamba2Branch::in_projections() const {
  const auto part = [&](int64_t begin, int64_t row, int64_t count) -> InProjection {
    return {.begin = begin,
            .count = count,
            .projection = {.weight = in_weight_.all_weight_rows.slice(0, row, count),
                           .gradient = in_weight_.all_gradient_rows.slice(0, row, count)}};
  };
  const int64_t s = spec_.d_ssm, width = spec_.in_width() + spare_;
  if (spec_.own_value) return {part(0, 0, width)};
  return {part(0, 0, s), part(2 * s, s, width - 2 * s)};
}

void Mamba2Branch::project_in(const Tensor& x, const Exec& exec) {
  for (InProjection& part : in_projections_)
    part.projection.forward(x, in_.slice(1, part.begin, part.count), false, exec);
  if (!spec_.own_value)
    kernels::repeat_heads({.out = value_part(in_), .x = shared_->rows, .kv_heads = shared_->kv_heads}, exec);
}

void Mamba2Branch::project_in_backward(const Tensor& x, const Tensor& din, const Tensor& dx, bool accumulate,
                                       const Exec& exec) {
  for (const InProjection& part : in_projections_)
    part.projection.backward(x, din.slice(1, part.begin, part.count), dx, accumulate || part.begin > 0, exec);
  if (!spec_.own_value)
    kernels::sum_heads({.dx = shared_->gradient, .dout = value_part(din), .kv_heads = shared_->kv_heads}, exec);
}

std::unique_ptr<Branch> make_mamba2_branch(const spec::MixerSpec& spec, const MixerContext& context,
                                           const ParameterTable& parameters, const std::string& prefix,
                                           SharedValue* shared) {
  return std::make_unique<Mamba2Branch>(dynamic_cast<const spec::Mamba2Spec&>(spec), context, parameters, prefix,
                                        shared);
}

std::unique_ptr<Mixer> make_mamba2(const spec::MixerSpec& spec, const MixerContext& context,
                                   const ParameterTable& parameters, const std::string& prefix) {
  return make_projected_branch(make_mamba2_branch(spec, context, parameters, prefix), parameters, prefix);
}

}  // namespace hyscale::model
