#pragma once

#include "core/mixers/parameters.h"
#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::model {

/// A linear map of rows by a weight, every one of a layer: out (+)= sign · rows · weightᵀ.
/// Where exec.float8 asks for it and all extents are multiples of 16, the three products are of eight bits: rows and
/// weights e4m3, gradients of outputs e5m2, each with one scale of its present values, sums in f32. All else that
/// layers compute and keep stays bf16.
struct Projection {
  Tensor weight;    // [out_width, width]; may be columns of a wider matrix
  Tensor gradient;  // alike
  double sign = 1;  // 1 or -1

  /// rows [tokens, width] → out [tokens, out_width], overwritten or added to. In eight bits it keeps the rounded rows,
  /// turned, in exec.arena for backward.
  void forward(const Tensor& rows, const Tensor& out, bool accumulate, const Exec& exec);
  /// Call it when what forward kept has gone back to the arena: backward rounds its rows again.
  void forget() { kept_rows = {}; }
  /// dout [tokens, out_width] → drows [tokens, width], overwritten or added to; the weight's gradient accumulated.
  /// `rows` as in forward.
  void backward(const Tensor& rows, const Tensor& dout, const Tensor& drows, bool accumulate, const Exec& exec) const;

  Tensor kept_rows{};     // [width, tokens] e4m3; empty: none
  Tensor kept_unscale{};  // f32 [1]
};

inline Projection projection(const Parameter& p) { return {.weight = p.weight, .gradient = p.gradient}; }

}  // namespace hyscale::model
