#pragma once

#include "core/mixers/branch.h"
#include "core/mixers/hybrid/hybrid_spec.h"

namespace hyscale::model {

/// A branch of a hybrid layer with its norm: x → n_i (HybridSpec).
class NormedBranch {
 public:
  /// Branch `index` of the layer; `prefix` leads to the layer's parameters. `shared` as in branch.h.
  NormedBranch(const spec::HybridSpec& spec, size_t index, const MixerContext& context,
               const ParameterTable& parameters, const std::string& prefix, SharedValue* shared);
  /// x [tokens, d_model] → rows [tokens, value width], kept in exec.arena until the end of backward.
  Tensor forward(const Tensor& x, BatchShape shape, const Exec& exec);
  /// drows [tokens, value width] → dx [tokens, d_model], written or added to; parameter gradients accumulated.
  void backward(const Tensor& x, const Tensor& drows, const Tensor& dx, bool accumulate, const Exec& exec);

 private:
  bool is_split() const { return ranks_ != nullptr; }

  std::unique_ptr<Branch> branch_;
  TensorGroup* ranks_;                      // null unless the row is shared out over them
  int64_t first_ = 0, channels_ = 0;        // then: this rank's first channel, channels of all
  const Parameter* norm_weight_ = nullptr;  // a Mamba branch norms its own value together with the gate
  double epsilon_;
  Tensor value_, rstd_;
};

}  // namespace hyscale::model
