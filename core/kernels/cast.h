#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// out = x in another dtype, rounded to nearest. f32, f64 and bf16 on the CPU; f32 and bf16 on a GPU.
struct CastArgs {
  Tensor out;  // [n]  written; contiguous
  Tensor x;    // [n]  contiguous
};
/// Throws ShapeError when shapes disagree or a dtype is not offered, ConfigError for a GPU when the build has no CUDA.
void cast(const CastArgs& args, const Exec& exec);

}  // namespace hyscale::kernels
