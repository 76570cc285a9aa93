#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// out = silu(gate) ⊙ up, the middle of a SwiGLU layer (Shazeer 2020).
struct SwigluArgs {
  Tensor out;      // [tokens, d_ff]      written
  Tensor gate_up;  // [tokens, 2 · d_ff]  gate | up
};
/// Throws ShapeError when shapes disagree, ConfigError for a GPU when the build has no CUDA.
void swiglu(const SwigluArgs& args, const Exec& exec);

/// dgate = dout ⊙ up ⊙ silu'(gate),  dup = dout ⊙ silu(gate).
struct SwigluBackwardArgs {
  Tensor dgate_up;  // [tokens, 2 · d_ff]  written; may be gate_up itself
  Tensor dout;      // [tokens, d_ff]
  Tensor gate_up;   // [tokens, 2 · d_ff]
};
/// Throws alike.
void swiglu_backward(const SwigluBackwardArgs& args, const Exec& exec);

}  // namespace hyscale::kernels
