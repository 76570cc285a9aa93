#include "core/mixers/hybrid/branch_scale.h"

#include "core/kernels/branch_weights.h"
#include "core/kernels/gemm.h"

namespace hyscale::model {

using spec::HybridScale;

static Tensor as_row(const Tensor& vector) { return vector.reshape({1, vector.extent(0)}); }

BranchScale::BranchScale(const spec::HybridSpec& spec, const ParameterTable& parameters, const std::string& prefix)
    : kind_(spec.scale), lambda_init_(spec.lambda_init) {
  if (kind_ == HybridScale::per_channel)
    vectors_ = {&parameters.at(prefix + "branches.0.scale"), &parameters.at(prefix + "branches.1.scale")};
  if (kind_ == HybridScale::diff) weight_ = &parameters.at(prefix + "lambda");
  if (kind_ == HybridScale::gate) weight_ = &parameters.at(prefix + "gate.weight");
  if (kind_ == HybridScale::alpha) weight_ = &parameters.at(prefix + "alpha.weight");
}

void BranchScale::forward(const Tensor& x, const Exec& exec) {
  const DType dtype = wide(x.dtype());
  if (kind_ == HybridScale::per_channel) factors_ = {as_row(vectors_[0]->weight), as_row(vectors_[1]->weight)};
  if (kind_ == HybridScale::diff) {
    factors_[1] = exec.arena->tensor(dtype, {1, 1});
    kernels::diff_lambda({.lambda = factors_[1], .vectors = weight_->weight, .initial = lambda_init_}, exec);
  }
  if (!per_token()) return;
  weights_ = exec.arena->tensor(dtype, {x.extent(0), 2});
  const Arena::Scope scratch(*exec.arena);
  const Tensor logits = exec.arena->matrix(dtype, x.extent(0), weight_->weight.extent(0));
  kernels::gemm({.out = logits, .a = x, .b = weight_->weight, .transpose_b = true}, exec);
  kernels::branch_weights({.weights = weights_, .logits = logits}, exec);
  factors_ = {weights_.slice(1, 0, 1), weights_.slice(1, 1, 1)};
}

void BranchScale::begin_backward(const Exec& exec) {
  if (kind_ == HybridScale::per_channel) gradients_ = {as_row(vectors_[0]->gradient), as_row(vectors_[1]->gradient)};
  if (kind_ == HybridScale::diff) gradients_[1] = exec.arena->zeroed(factors_[1].dtype(), {1, 1});
  if (!per_token()) return;
  dweights_ = exec.arena->zeroed(weights_.dtype(), weights_.shape());
  gradients_ = {dweights_.slice(1, 0, 1), dweights_.slice(1, 1, 1)};
}

void BranchScale::backward(const Tensor& x, const Tensor& dx, const Exec& exec) {
  if (kind_ == HybridScale::diff)
    kernels::diff_lambda_backward({.dvectors = weight_->gradient, .dlambda = gradients_[1], .vectors = weight_->weight},
                                  exec);
  if (!per_token()) return;
  const Arena::Scope scratch(*exec.arena);
  const Tensor dlogits = exec.arena->matrix(x.dtype(), x.extent(0), weight_->weight.extent(0));
  kernels::branch_weights_backward({.dlogits = dlogits, .dweights = dweights_, .weights = weights_}, exec);
  kernels::gemm({.out = weight_->gradient, .a = dlogits, .b = x, .transpose_a = true, .accumulate = true}, exec);
  kernels::gemm({.out = dx, .a = dlogits, .b = weight_->weight, .accumulate = true}, exec);
}

}  // namespace hyscale::model
