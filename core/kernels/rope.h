#pragma once

#include <span>

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// Rotary position embedding (Su et al. 2021) of the first 2·pairs channels of each head, half-split: pair i is
/// (i, i + pairs), turned by position × radians_i; the other channels pass. In place. `inverse` turns the other way,
/// which is its backward pass.
struct RopeArgs {
  Tensor x;            // [tokens, heads, dim]   turned; row = sequence · length + position
  Tensor cos;          // [>= length, pairs]     from rope_table; 2·pairs <= dim
  Tensor sin;          // [>= length, pairs]
  int64_t length = 0;  // of each sequence; >= 1
  bool inverse = false;
  Tensor begins{};  // i32 [sequences]: position of each sequence's first row; empty: 0. CPU
};
/// Throws ShapeError when shapes disagree or the tables are shorter than what they are asked for, ConfigError for a GPU
/// when the build has no CUDA.
void rope(const RopeArgs& args, const Exec& exec);

/// Fills cos and sin [positions, pairs], times `amplitude`; angles in double, rounded at the end. Throws ShapeError
/// when there is not one frequency for each pair.
void rope_table(const Tensor& cos, const Tensor& sin, std::span<const double> radians, double amplitude = 1);

}  // namespace hyscale::kernels
