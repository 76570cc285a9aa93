#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// out = alpha · a·b, or out += alpha · a·b. A leading batch axis (any stride) makes one product per entry. The rows of
/// `out` have unit stride.
/// CPU: f32 or f64, all alike; `a` and `b` may have any strides, and are read fastest along one of 1.
/// GPU: `a` and `b` bf16, `out` bf16 or f32; or all f32. Sums are kept in f32, without TF32. One axis of `a` and one of
/// `b` has unit stride. Or, on Hopper and later, `a` and `b` e4m3 or e5m2 (not both e5m2) with what unscales them,
/// `out` bf16 or f32: then it is a·bᵀ, all extents multiples of 16 and rows beginning at multiples of 16 bytes.
struct GemmArgs {
  Tensor out;                // [m, n] or [batch, m, n]  written; overlaps no input
  Tensor a;                  // [m, k] or [batch, m, k]; [.., k, m] with transpose_a
  Tensor b;                  // [k, n] or [batch, k, n]; [.., n, k] with transpose_b
  bool transpose_a = false;  // swaps the last two axes of `a`
  bool transpose_b = false;
  bool accumulate = false;  // out += instead of out =
  double alpha = 1;
  Tensor unscale_a{}, unscale_b{};  // f32 [1] of an `a` and `b` in eight bits (kernels/quantise.h)
};

/// Returns when `out` is written; runs on the OpenMP threads. The cut into tasks depends on the shapes alone, so the
/// result does not depend on the number of threads. k == 0 is a sum without terms. On a GPU it is enqueued; unless its
/// context is deterministic, the first product of a shape waits while several ways to compute it are timed.
/// Throws ShapeError if shapes, dtypes or strides break the contract, ConfigError for a GPU when the build has no CUDA;
/// `out` is then untouched.
void gemm(const GemmArgs& args, const Exec& exec);

/// What `gemm` must compute: plain loops, each element one sum in double. Any strides. For tests.
void reference_gemm(const GemmArgs& args);

}  // namespace hyscale::kernels
