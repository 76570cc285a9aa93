#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// What the two branches of a hybrid layer count for at each token:
///   logits [tokens, 2]:  weights = σ(l_0), σ(l_1)
///   logits [tokens, 1]:  weights = σ(l), 1 − σ(l)
struct BranchWeightsArgs {
  Tensor weights;  // [tokens, 2]  written
  Tensor logits;   // [tokens, 1 or 2]
};
/// Throws ShapeError when shapes disagree, ConfigError for a GPU when the build has no CUDA.
void branch_weights(const BranchWeightsArgs& args, const Exec& exec);

/// dlogits [tokens, 1 or 2] written, from dweights and the weights of forward.
struct BranchWeightsBackwardArgs {
  Tensor dlogits;   // as logits  written
  Tensor dweights;  // [tokens, 2]
  Tensor weights;   // [tokens, 2]
};
/// Throws alike.
void branch_weights_backward(const BranchWeightsBackwardArgs& args, const Exec& exec);

/// λ = exp(q₁·k₁) − exp(q₂·k₂) + initial: the Differential Transformer's reparametrised scalar (Ye et al. 2024, eq. 2).
struct DiffLambdaArgs {
  Tensor lambda;   // [1, 1]    written
  Tensor vectors;  // [4, dim]  rows q₁, k₁, q₂, k₂
  double initial = 0;
};
/// Throws alike.
void diff_lambda(const DiffLambdaArgs& args, const Exec& exec);

/// dvectors [4, dim] += gradient of λ times dlambda [1, 1].
struct DiffLambdaBackwardArgs {
  Tensor dvectors;  // [4, dim]  added to
  Tensor dlambda;   // [1, 1]
  Tensor vectors;   // [4, dim]
};
/// Throws alike.
void diff_lambda_backward(const DiffLambdaBackwardArgs& args, const Exec& exec);

}  // namespace hyscale::kernels
