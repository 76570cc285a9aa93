#pragma once

#include <array>

#include "core/mixers/hybrid/hybrid_spec.h"
#include "core/mixers/parameters.h"
#include "core/tensor/exec.h"

namespace hyscale::model {

/// The `scale` of a hybrid layer: what its branches are multiplied by (HybridSpec), as factors of kernels::scale_rows.
class BranchScale {
 public:
  BranchScale(const spec::HybridSpec& spec, const ParameterTable& parameters, const std::string& prefix);
  /// Computes both factors for x [tokens, d_model], kept in exec.arena until the end of backward.
  void forward(const Tensor& x, const Exec& exec);
  /// Of branch b: empty stands for 1.
  const Tensor& factor(size_t branch) const { return factors_[branch]; }
  /// Before the branches' backward: makes room for the factors' gradients in exec.arena.
  void begin_backward(const Exec& exec);
  const Tensor& gradient(size_t branch) const { return gradients_[branch]; }
  /// Afterwards: from those to the parameters' gradients, and added to dx [tokens, d_model].
  void backward(const Tensor& x, const Tensor& dx, const Exec& exec);

 private:
  bool per_token() const { return kind_ == spec::HybridScale::gate || kind_ == spec::HybridScale::alpha; }

  spec::HybridScale kind_;
  double lambda_init_;
  std::array<const Parameter*, 2> vectors_{};  // per_channel: β of each branch
  const Parameter* weight_ = nullptr;          // gate, alpha: of the logits; diff: the vectors of λ
  Tensor weights_, dweights_;                  // gate, alpha: [tokens, 2]
  std::array<Tensor, 2> factors_, gradients_;
};

}  // namespace hyscale::model
