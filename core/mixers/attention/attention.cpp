#include <cmath>

#include "core/base/error.h"
#include "core/kernels/cached_attention.h"
#include "core/kernels/rope.h"
#include "core/kernels/scale_rows.h"
#include "core/mixers/attention/attention_spec.h"
#include "core/mixers/branch.h"
#include "core/tensor/device_context.h"

namespace hyscale::model {

namespace {

/// x · qkvᵀ, rotary positions on queries and keys, causal attention. The value row is the heads side by side.
class AttentionBranch final : public Branch {
 public:
  AttentionBranch(const spec::AttentionSpec& spec, const spec::RopeExtension& extension, const Parameter& qkv,
                  SharedValue* shared)
      : spec_(spec), rope_extension_(extension), qkv_projection_(projection(qkv)), shared_(shared) {}

  int64_t value_width() const override { return spec_.value_dim; }
  Tensor forward(const Tensor& x, BatchShape shape, const Exec& exec) override;
  void backward(const Tensor& x, const Tensor& dvalue, const Tensor& dx, bool accumulate, const Exec& exec) override;

 private:
  bool gives_value() const { return shared_ != nullptr && spec_.own_value; }
  // Windows on rows q | k | v, or on rows q | k and the shared value heads.
  struct Parts {
    Tensor q, k, v;  // [sequences, length, heads or kv_heads, dim or value dim]
  };
  Parts split(const Tensor& qkv, const Tensor& shared) const;
  Tensor heads_of(const Tensor& rows, int64_t begin, int64_t heads, int64_t dim) const;
  kernels::AttentionArgs arguments() const;
  void attend_to_past(const Exec& exec);
  void turn(const Tensor& qkv, bool inverse, const Exec& exec) const;
  void grow_tables(int64_t length, DType dtype, const Exec& exec);

  spec::AttentionSpec spec_;
  spec::RopeExtension rope_extension_;
  Projection qkv_projection_;
  SharedValue* shared_;    // null: nobody shares
  OwnedTensor cos_, sin_;  // [positions, turned pairs]
  BatchShape shape_;
  Tensor qkv_;    // [tokens, q | k | v], queries and keys turned; no v when another branch gives it
  Tensor value_;  // [tokens, value_dim]
  Tensor lse_;    // [sequences, heads, length]
};

Tensor AttentionBranch::heads_of(const Tensor& rows, int64_t begin, int64_t heads, int64_t dim) const {
  return rows.slice(1, begin, heads * dim).reshape({shape_.sequences, shape_.length, heads, dim});
}

AttentionBranch::Parts AttentionBranch::split(const Tensor& qkv, const Tensor& shared) const {
  const int64_t q = spec_.q_width(), k = spec_.k_width();
  return {
      .q = heads_of(qkv, 0, spec_.heads, spec_.head_dim),
      .k = heads_of(qkv, q, spec_.kv_heads, spec_.head_dim),
      .v = heads_of(spec_.own_value ? qkv : shared, spec_.own_value ? q + k : 0, spec_.kv_heads, spec_.v_head_dim())};
}

kernels::AttentionArgs AttentionBranch::arguments() const {
  const Parts parts = split(qkv_, shared_ != nullptr ? shared_->rows : Tensor());
  return {.out = value_.reshape({shape_.sequences, shape_.length, spec_.heads, spec_.v_head_dim()}),
          .lse = lse_,
          .q = parts.q,
          .k = parts.k,
          .v = parts.v,
          .scale = 1 / std::sqrt(static_cast<double>(spec_.head_dim)),
          .mask = {.window = spec_.window, .sinks = spec_.sinks},
          .document_begins = shape_.document_begins};
}

// Its keys and values join the others when the whole model has seen them.
void AttentionBranch::attend_to_past(const Exec& exec) {
  Past& past = *shape_.past;
  const kernels::AttentionArgs a = arguments();
  const int64_t slots = kernels::cache_slots(a.mask, past.capacity());
  const auto cache = [&](int part, const Tensor& like) {
    return shape_.of_past(past.kept(this, part, like.dtype(), {spec_.kv_heads, slots, like.extent(3)}));
  };
  const Tensor keys = cache(0, a.k), values = spec_.own_value ? cache(1, a.v) : shared_->cached;
  if (gives_value()) shared_->cached = values;
  kernels::cached_attention({.out = a.out,
                             .q = a.q,
                             .k = a.k,
                             .v = a.v,
                             .cached_k = keys,
                             .cached_v = values,
                             .lengths = shape_.of_past(past.lengths()),
                             .scale = a.scale,
                             .mask = a.mask},
                            exec);
  const int64_t sinks = a.mask.window > 0 ? a.mask.sinks : 0;
  past.append_later(keys, a.k, sinks, shape_.past_first);
  if (spec_.own_value) past.append_later(values, a.v, sinks, shape_.past_first);
}

void AttentionBranch::grow_tables(int64_t length, DType dtype, const Exec& exec) {
  if (cos_.tensor().rank() == 2 && cos_.tensor().extent(0) >= length) return;
  const spec::RopeFrequencies frequencies = spec::rope_frequencies(*spec_.rope, spec_.head_dim, rope_extension_);
  const auto pairs = static_cast<int64_t>(frequencies.radians.size());
  OwnedTensor cos(wide(dtype), {length, pairs}), sin(wide(dtype), {length, pairs});
  kernels::rope_table(cos, sin, frequencies.radians, frequencies.amplitude);
  cos_ = on_device(std::move(cos), exec);
  sin_ = on_device(std::move(sin), exec);
}

// Queries and keys lie side by side and have one width a head: one call turns both.
void AttentionBranch::turn(const Tensor& qkv, bool inverse, const Exec& exec) const {
  const int64_t heads = spec_.heads + spec_.kv_heads;
  const Tensor q_and_k = qkv.slice(1, 0, heads * spec_.head_dim).reshape({qkv.extent(0), heads, spec_.head_dim});
  const Tensor begins = shape_.past != nullptr ? shape_.of_past(shape_.past->lengths()) : Tensor();
  kernels::rope({.x = q_and_k, .cos = cos_, .sin = sin_, .length = shape_.length, .inverse = inverse, .begins = begins},
                exec);
}

Tensor AttentionBranch::forward(const Tensor& x, BatchShape shape, const Exec& exec) {
  shape_ = shape;
  qkv_ = exec.arena->matrix(x.dtype(), shape.tokens(), spec_.in_width());
  value_ = exec.arena->matrix(x.dtype(), shape.tokens(), spec_.value_dim);
  lse_ = exec.arena->tensor(wide(x.dtype()), {shape.sequences, spec_.heads, shape.length});
  qkv_projection_.forward(x, qkv_, false, exec);
  if (gives_value()) shared_->rows = qkv_.slice(1, spec_.q_width() + spec_.k_width(), spec_.v_width());
  if (spec_.rope) {
    grow_tables(shape.past != nullptr ? shape.past->capacity() : shape.length, x.dtype(), exec);
    turn(qkv_, false, exec);
  }
  if (shape.past != nullptr)
    attend_to_past(exec);
  else
    kernels::attention(arguments(), exec);
  return value_;
}

void AttentionBranch::backward(const Tensor& x, const Tensor& dvalue, const Tensor& dx, bool accumulate,
                               const Exec& exec) {
  const Arena::Scope scratch(*exec.arena);
  const Tensor dqkv = exec.arena->matrix(x.dtype(), qkv_.extent(0), qkv_.extent(1));
  const Parts gradients = split(dqkv, shared_ != nullptr ? shared_->gradient : Tensor());
  const Tensor dout = dvalue.reshape({shape_.sequences, shape_.length, spec_.heads, spec_.v_head_dim()});
  kernels::attention_backward(
      {.dq = gradients.q, .dk = gradients.k, .dv = gradients.v, .dout = dout, .saved = arguments()}, exec);
  if (gives_value()) {
    const Tensor dv = dqkv.slice(1, spec_.q_width() + spec_.k_width(), spec_.v_width());
    kernels::scale_rows({.out = dv, .x = shared_->gradient, .factor = {}, .accumulate = true}, exec);
  }
  if (spec_.rope) turn(dqkv, true, exec);
  qkv_projection_.backward(x, dqkv, dx, accumulate, exec);
}

}  // namespace

std::unique_ptr<Branch> make_attention_branch(const spec::MixerSpec& spec, const MixerContext& context,
                                              const ParameterTable& parameters, const std::string& prefix,
                                              SharedValue* shared) {
  const auto& attention = dynamic_cast<const spec::AttentionSpec&>(spec);
  const Parameter& qkv = parameters.at(prefix + "qkv.weight");
  expect_shape(qkv.spec.name.c_str(), qkv.weight, {attention.in_width(), context.d_model});
  return std::make_unique<AttentionBranch>(attention, context.rope_extension, qkv, shared);
}

std::unique_ptr<Mixer> make_attention(const spec::MixerSpec& spec, const MixerContext& context,
                                      const ParameterTable& parameters, const std::string& prefix) {
  return make_projected_branch(make_attention_branch(spec, context, parameters, prefix), parameters, prefix);
}

}  // namespace hyscale::model
