#pragma once

#include <memory>
#include <string>

#include "core/mixers/mixer.h"
#include "core/mixers/parameters.h"
#include "core/mixers/projection.h"
#include "core/spec/mixer_spec.h"
#include "core/tensor/exec.h"

namespace hyscale::model {

/// Value heads that the two branches of a hybrid layer share (`value: joint`): one attention branch gives them, the
/// other branch takes them instead of projecting its own. The giver goes first in forward and last in backward.
struct SharedValue {
  int64_t kv_heads = 0;
  Tensor rows;      // [tokens, kv_heads · v_head_dim], as projected; the giver's forward sets it
  Tensor cached;    // those of shape.past, as kernels/cached_attention.h has them; likewise
  Tensor gradient;  // alike; the hybrid layer allocates it, the taker's backward writes it, the giver's reads it
};

/// A mixer up to its out projection: x to one value row per token. The stand-alone mixer and the branch of a hybrid
/// layer are the same Branch, followed by a projection. Called like a Mixer: forward, then backward of that
/// micro-batch; what backward needs stays in exec.arena and is remembered here.
class Branch {
 public:
  virtual ~Branch() = default;
  virtual int64_t value_width() const = 0;
  /// x [tokens, d_model] (already normalised) → value [tokens, value_width], kept in exec.arena: the caller reads it
  /// until the end of backward and must not change it. Heeds shape.past.
  virtual Tensor forward(const Tensor& x, BatchShape shape, const Exec& exec) = 0;
  /// dvalue [tokens, value_width] → dx [tokens, d_model] written, or added to when `accumulate`; parameter gradients
  /// accumulated. Scratch goes back to the arena before it returns.
  virtual void backward(const Tensor& x, const Tensor& dvalue, const Tensor& dx, bool accumulate, const Exec& exec) = 0;
};

/// The working part of a mixer that can be a branch, each made in its own folder; `prefix` leads to its parameters.
/// `shared` is given under `value: joint` and outlives the branch: an attention branch with values of its own gives
/// them, any other takes them.
std::unique_ptr<Branch> make_attention_branch(const spec::MixerSpec& spec, const MixerContext& context,
                                              const ParameterTable& parameters, const std::string& prefix,
                                              SharedValue* shared = nullptr);
std::unique_ptr<Branch> make_mamba2_branch(const spec::MixerSpec& spec, const MixerContext& context,
                                           const ParameterTable& parameters, const std::string& prefix,
                                           SharedValue* shared = nullptr);

/// A branch that stands alone: `out.weight` [d_model, value_width] under `prefix` behind it.
std::unique_ptr<Mixer> make_projected_branch(std::unique_ptr<Branch> branch, const ParameterTable& parameters,
                                             const std::string& prefix);

}  // namespace hyscale::model
