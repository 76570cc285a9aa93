#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"
#include "core/tensor/tensor_group.h"

namespace hyscale::kernels {

/// RMSNorm of rows whose channels are shared out over the ranks of a group: this rank holds `x`, the channels from
/// `first` on. Channel c of the whole row belongs to norm group c / width:
///   rstd = 1/√(mean over the norm group, on all ranks, of x² + epsilon),  out = x · rstd · weight
/// The sums of squares are added up over the ranks.
struct SplitRmsNormArgs {
  Tensor out;         // [tokens, channels]     written; may be x
  Tensor rstd;        // [tokens, norm groups]  written, for all norm groups of the row; backward reads it
  Tensor x;           // [tokens, channels]
  Tensor weight;      // [channels]
  int64_t first = 0;  // of this rank's channels
  int64_t width = 0;  // channels of a norm group
  double epsilon = 1e-5;
};
/// Throws ShapeError when shapes disagree, ConfigError for a GPU.
void split_rms_norm(const SplitRmsNormArgs& args, TensorGroup& ranks, const Exec& exec);

/// dx = gradient by x;  dweight += Σ_tokens dout · x · rstd, over fixed blocks of tokens in ascending order. What a row
/// of x has in common with its gradient is added up over the ranks.
struct SplitRmsNormBackwardArgs {
  Tensor dx;       // [tokens, channels]  written; may be dout
  Tensor dweight;  // [channels]          added to
  Tensor dout;     // [tokens, channels]
  Tensor x;        // [tokens, channels]  of forward
  Tensor rstd;     // [tokens, norm groups]
  Tensor weight;   // [channels]
  int64_t first = 0;
  int64_t width = 0;
};
/// Takes scratch from exec.arena and gives it back. Throws alike.
void split_rms_norm_backward(const SplitRmsNormBackwardArgs& args, TensorGroup& ranks, const Exec& exec);

}  // namespace hyscale::kernels
