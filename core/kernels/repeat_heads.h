#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// Grouped heads written out once for each head that reads them: out head h is head h / (heads / kv_heads).
struct RepeatHeadsArgs {
  Tensor out;            // [tokens, heads · dim]  written
  Tensor x;              // [tokens, kv_heads · dim]
  int64_t kv_heads = 1;  // divides both widths
};
/// Throws ShapeError when shapes disagree, ConfigError for a GPU when the build has no CUDA.
void repeat_heads(const RepeatHeadsArgs& args, const Exec& exec);

/// Its backward pass: dx [tokens, kv_heads · dim] = sum over the heads that read, in ascending order.
struct SumHeadsArgs {
  Tensor dx;    // [tokens, kv_heads · dim]  written
  Tensor dout;  // [tokens, heads · dim]
  int64_t kv_heads = 1;
};
/// Throws alike.
void sum_heads(const SumHeadsArgs& args, const Exec& exec);

}  // namespace hyscale::kernels
