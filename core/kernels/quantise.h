#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// out = x · 2^s rounded to eight bits, as it lies and turned, with the s at which the largest |x| just fits: one scale
/// for the whole matrix, of its present values, so that nothing is remembered from step to step. A power of two costs
/// no bits. Where an x is not finite, `unscale` is NaN.
struct QuantiseArgs {
  Tensor out;      // [rows, columns]  e4m3 or e5m2, written; empty: not wanted
  Tensor turned;   // [columns, rows]  alike; its transpose
  Tensor unscale;  // f32 [1]  written: 2^-s
  Tensor x;        // [rows, columns]  unit stride in a row
};

/// CPU: x f32, f64 or bf16. GPU: x bf16, rows and columns multiples of 16, rows of all matrices beginning at multiples
/// of 16 bytes; takes 4 bytes of exec.arena for the time of the call.
/// Throws ShapeError when a shape or dtype breaks the contract, ConfigError for a GPU when the build has no CUDA.
void quantise(const QuantiseArgs& args, const Exec& exec);

}  // namespace hyscale::kernels
