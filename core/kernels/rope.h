#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// Rotary position embedding (Su et al. 2021), half-split: pair i of a head is (i, i + dim/2), turned by
/// position × theta^(-2i/dim). In place. `inverse` turns back, which is its backward pass.
struct RopeArgs {
  Tensor x;            // [tokens, heads, dim]   turned; row = sequence · length + position
  Tensor cos;          // [>= length, dim / 2]   from rope_table
  Tensor sin;          // [>= length, dim / 2]
  int64_t length = 0;  // of each sequence; >= 1
  bool inverse = false;
};
/// Throws ShapeError when shapes disagree or the tables are shorter than `length`, ConfigError on a device without a
/// twin (cpu_only.h).
void rope(const RopeArgs& args, const Exec& exec);

/// Fills cos and sin [positions, dim / 2]; angles in double, rounded at the end. Throws ShapeError.
void rope_table(const Tensor& cos, const Tensor& sin, double theta);

}  // namespace hyscale::kernels
