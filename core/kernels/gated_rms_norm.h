#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// Mamba-2's gated norm (Dao & Gu 2024), per row and group of channels / groups columns:
///   h = y · silu(z),  rstd = 1 / √(mean over the group of h² + epsilon),  out = h · rstd · weight
/// Without a weight there is no norm: out = h. Rows may be windows on wider rows; f32 or f64.
struct GatedRmsNormArgs {
  Tensor y;            // [tokens, channels]
  Tensor z;            // [tokens, channels]
  Tensor weight;       // [channels]; empty: no norm
  int64_t groups = 1;  // divides channels
  double epsilon = 1e-5;
};

/// out [tokens, channels] and, with a norm, rstd [tokens, groups] written. `out` may be `y`. Throws ShapeError,
/// and ConfigError for a GPU when the build has no CUDA.
void gated_rms_norm(const GatedRmsNormArgs& args, const Tensor& out, const Tensor& rstd, const Exec& exec);

/// From dout [tokens, channels] and the rstd of forward: dy and dz [tokens, channels] written (dy may be dout), dweight
/// [channels] accumulated, in a fixed order of rows. Without a norm rstd and dweight are not touched. Throws alike.
void gated_rms_norm_backward(const GatedRmsNormArgs& args, const Tensor& rstd, const Tensor& dout, const Tensor& dy,
                             const Tensor& dz, const Tensor& dweight, const Exec& exec);

}  // namespace hyscale::kernels
