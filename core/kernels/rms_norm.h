#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// RMSNorm (Zhang & Sennrich 2019) of a residual stream, with the addition before it:
///   h = x + delta,  rstd = 1/√(mean_c(h²) + epsilon),  out = h · rstd · weight
/// Without `delta`, h is x and `sum` is not used. Rows have unit stride and may lie apart.
struct RmsNormArgs {
  Tensor out;     // [tokens, channels]  written
  Tensor rstd;    // [tokens]            written; backward reads it
  Tensor sum;     // [tokens, channels]  written: h; may be x or delta itself. Empty without delta
  Tensor x;       // [tokens, channels]
  Tensor delta;   // [tokens, channels] or empty
  Tensor weight;  // [channels]
  double epsilon = 1e-5;
};
/// Throws ShapeError when shapes disagree, ConfigError for a GPU when the build has no CUDA.
void rms_norm(const RmsNormArgs& args, const Exec& exec);

/// dx (+)= gradient by h;  dweight += Σ_tokens dout · h · rstd, summed over fixed blocks of tokens in ascending order.
/// Takes scratch from exec.arena and gives it back.
struct RmsNormBackwardArgs {
  Tensor dx;                // [tokens, channels]  written or added to
  Tensor dweight;           // [channels]          added to
  Tensor dout;              // [tokens, channels]
  Tensor x;                 // [tokens, channels]  h of forward
  Tensor rstd;              // [tokens]
  Tensor weight;            // [channels]
  bool accumulate = false;  // dx += instead of dx =
};
/// Throws alike.
void rms_norm_backward(const RmsNormBackwardArgs& args, const Exec& exec);

}  // namespace hyscale::kernels
