#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"
#include "core/tensor/tensor_group.h"

namespace hyscale::kernels {

/// Output head and loss (cross_entropy.h) of ranks that share the vocabulary: this rank holds the rows of `weight`, the
/// tokens from `first` on. Of each chunk of tokens the largest logits, then the sums of exponentials and the targets'
/// logits are gathered over the ranks; no rank ever sees another's logits. Every rank gets the same loss.
struct SplitCrossEntropyArgs {
  Tensor x;        // [tokens, channels]
  Tensor weight;   // [rows, channels]
  Tensor targets;  // i32 [tokens], each < vocabulary; < 0 does not count
  Tensor loss;     // f64 [1]  added to: Σ nll in nats, in the order of the tokens; or empty
  Tensor nll;      // f32 [tokens] written, or empty
  Tensor dx;  // [tokens, channels]  written: this rank's part of scale · d(Σ nll)/dx, to be summed over the ranks;
              // empty: no gradients
  Tensor dweight;  // wide [rows, channels]  added to; empty together with dx
  double scale = 1;
  int64_t first = 0;       // token of the first row
  int64_t vocabulary = 0;  // of all ranks
};
/// Takes scratch from exec.arena and gives it back. Throws ShapeError when shapes disagree or a target is too large,
/// ConfigError for a GPU.
void split_cross_entropy(const SplitCrossEntropyArgs& args, TensorGroup& ranks, const Exec& exec);

}  // namespace hyscale::kernels
