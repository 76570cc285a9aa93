#pragma once

#include <memory>
#include <string>

#include "core/mixers/mixer.h"
#include "core/mixers/parameters.h"
#include "core/spec/mixer_spec.h"
#include "core/tensor/exec.h"

namespace hyscale::model {

/// A mixer up to its out projection: x to one value row per token. The stand-alone mixer and the branch of a hybrid
/// layer are the same Branch, followed by the same projection. Called like a Mixer: forward, then backward of that
/// micro-batch; what backward needs stays in exec.arena and is remembered here.
class Branch {
 public:
  virtual ~Branch() = default;
  virtual int64_t value_width() const = 0;
  /// x [tokens, d_model] (already normalised) → value [tokens, value_width], kept in exec.arena: the caller reads it
  /// until the end of backward and must not change it.
  virtual Tensor forward(const Tensor& x, BatchShape shape, const Exec& exec) = 0;
  /// dvalue [tokens, value_width] → dx [tokens, d_model] = beta × dx + gradient (beta 0 or 1; with 0 the old content is
  /// not read); parameter gradients accumulated. Scratch goes back to the arena before it returns.
  virtual void backward(const Tensor& x, const Tensor& dvalue, const Tensor& dx, double beta, const Exec& exec) = 0;
};

/// How a branch's value is normed before its out projection. `own`: as the mixer stands alone (Mamba-2: the gated norm
/// over d_ssm / norm_groups; attention: none). `none`: no norm at all (Mamba-2: y · silu(z)). `group`: one RMSNorm over
/// the whole value row with `norm.weight` [value_width] (Mamba-2: its gated norm).
enum class ValueNorm { own, none, group };

/// The working part of a mixer that can be a branch (attention, mamba2), each made in its own folder; `prefix` leads to
/// its parameters. Attention has no norm of its own, so it takes none.
std::unique_ptr<Branch> make_attention_branch(const spec::MixerSpec& spec, int64_t d_model,
                                              const ParameterTable& parameters, const std::string& prefix);
std::unique_ptr<Branch> make_mamba2_branch(const spec::MixerSpec& spec, int64_t d_model,
                                           const ParameterTable& parameters, const std::string& prefix, ValueNorm norm);

/// A branch with `out.weight` [d_model, value_width] behind it and, for an attention branch under ValueNorm::group, an
/// RMSNorm with `norm.weight` between. out = beta × out + sign × (norm(value) · out.weightᵀ).
class ProjectedBranch {
 public:
  ProjectedBranch(std::unique_ptr<Branch> branch, const Parameter& out_weight, const Parameter* norm_weight);
  void forward(const Tensor& x, const Tensor& out, double sign, double beta, BatchShape shape, const Exec& exec);
  /// dx = beta × dx + gradient; `sign` as in forward.
  void backward(const Tensor& x, const Tensor& dout, double sign, const Tensor& dx, double beta, const Exec& exec);

 private:
  std::unique_ptr<Branch> branch_;
  const Parameter* out_weight_;
  const Parameter* norm_weight_;  // null: no norm here
  Tensor value_, normed_, rstd_;
};

/// `spec`'s branch and its out projection as they stand in a layer or in a hybrid ("attention" or "mamba2").
ProjectedBranch make_projected_branch(const spec::MixerSpec& spec, int64_t d_model, const ParameterTable& parameters,
                                      const std::string& prefix, ValueNorm norm);

/// The stand-alone mixer: one projected branch under ValueNorm::own. What make_mixer returns for attention and mamba2.
std::unique_ptr<Mixer> make_branch_mixer(const spec::MixerSpec& spec, int64_t d_model, const ParameterTable& parameters,
                                         const std::string& prefix);

}  // namespace hyscale::model
