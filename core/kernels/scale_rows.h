#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// out = sign · factor ⊙ x, or out += that. An axis of `factor` with extent 1 stands for all tokens or all channels:
///   [1, channels] one factor per channel, [tokens, 1] one per token, [1, 1] one for all; empty: 1.
/// Rows have unit stride and may lie apart.
struct ScaleRowsArgs {
  Tensor out;     // [tokens, channels]  written or added to; may be x
  Tensor x;       // [tokens, channels]
  Tensor factor;  // see above
  double sign = 1;
  bool accumulate = false;  // out += instead of out =
};
/// Throws ShapeError when shapes disagree, ConfigError for a GPU when the build has no CUDA.
void scale_rows(const ScaleRowsArgs& args, const Exec& exec);

/// dx = sign · factor ⊙ dout;  dfactor += sign · Σ dout ⊙ x over what a factor stands for, summed over fixed blocks of
/// tokens in ascending order. Takes scratch from exec.arena and gives it back.
struct ScaleRowsBackwardArgs {
  Tensor dx;       // [tokens, channels]  written; may be dout
  Tensor dfactor;  // as factor           added to; empty without a factor
  Tensor dout;     // [tokens, channels]
  Tensor x;        // [tokens, channels]  not read without a factor
  Tensor factor;
  double sign = 1;
};
/// Throws alike.
void scale_rows_backward(const ScaleRowsBackwardArgs& args, const Exec& exec);

}  // namespace hyscale::kernels
