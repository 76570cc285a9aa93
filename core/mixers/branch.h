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
  /// dvalue [tokens, value_width] → dx [tokens, d_model] written, or added to when `accumulate`; parameter gradients
  /// accumulated. Scratch goes back to the arena before it returns.
  virtual void backward(const Tensor& x, const Tensor& dvalue, const Tensor& dx, bool accumulate, const Exec& exec) = 0;
};

/// The working part of a mixer that can be a branch, each made in its own folder; `prefix` leads to its parameters.
std::unique_ptr<Branch> make_attention_branch(const spec::MixerSpec& spec, const MixerContext& context,
                                              const ParameterTable& parameters, const std::string& prefix);
std::unique_ptr<Branch> make_mamba2_branch(const spec::MixerSpec& spec, const MixerContext& context,
                                           const ParameterTable& parameters, const std::string& prefix);

/// A branch, an RMSNorm over the whole value row where `norm_weight` is given, and `out_weight` [d_model, value_width].
/// A Mixer of its own when it stands alone.
class ProjectedBranch final : public Mixer {
 public:
  ProjectedBranch(std::unique_ptr<Branch> branch, const Parameter& out_weight, const Parameter* norm_weight = nullptr,
                  double norm_epsilon = 0);
  /// A branch that stands alone: `out.weight` under `prefix`, no norm.
  static std::unique_ptr<Mixer> alone(std::unique_ptr<Branch> branch, const ParameterTable& parameters,
                                      const std::string& prefix) {
    return std::make_unique<ProjectedBranch>(std::move(branch), parameters.at(prefix + "out.weight"));
  }
  void forward(const Tensor& x, const Tensor& out, BatchShape shape, const Exec& exec) override;
  void backward(const Tensor& x, const Tensor& dout, const Tensor& dx, const Exec& exec) override;
  /// As one of two branches: times `sign`, and added to `out` and `dx` when `accumulate`.
  struct Part {
    bool accumulate = false;
    double sign = 1;  // 1 or -1; the same in both directions
  };
  void forward(const Tensor& x, const Tensor& out, Part part, BatchShape shape, const Exec& exec);
  void backward(const Tensor& x, const Tensor& dout, const Tensor& dx, Part part, const Exec& exec);

 private:
  std::unique_ptr<Branch> branch_;
  const Parameter& out_weight_;
  const Parameter* norm_weight_;
  double norm_epsilon_;
  Tensor value_, projected_, rstd_;  // the branch's value; what is projected: the value or its norm
};

}  // namespace hyscale::model
