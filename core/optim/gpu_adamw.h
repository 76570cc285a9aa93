#pragma once

#include <array>

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::optim {

/// One AdamW step (the rule of adamw.h) on flat parameters that lie on a GPU. What changes from step to step is read
/// from device memory, so that a recorded step can be replayed. n is a multiple of 64; the arrays begin at multiples of
/// 16 bytes.
struct GpuAdamWArgs {
  Tensor weights;    // f32 [n]   updated
  Tensor rounded;    // bf16 [n]  written: the new weights, rounded; or empty
  Tensor gradients;  // f32 [n]   read, then set to zero
  Tensor m;          // f32 [n]   updated
  Tensor v;          // f32 [n]   updated
  Tensor decays;     // i32 [n / 2048, rounded up]  bit b of word w: elements 64·(32w + b) … + 63 decay
  Tensor schedule;   // f64 [4]   learning rate, 1/(1-β1^step), 1/(1-β2^step), Σ g² over the whole model
  std::array<double, 2> betas{0.9, 0.95};
  double epsilon = 1e-8;
  double weight_decay = 0;
  double clip = 0;  // gradients are scaled by min(1, clip / √Σg²); 0: never
};
/// Enqueued; takes scratch from exec.arena and gives it back. When Σ g² is not finite, gradients are cleared and
/// everything else stays as it was. Throws ShapeError when shapes, dtypes or alignments break the contract, ConfigError
/// when the build has no CUDA.
void gpu_adamw(const GpuAdamWArgs& args, const Exec& exec);

/// out (f64 [1], written) = Σ x² of x (f32 [n], dense), in double and in an order that n alone decides. Enqueued; takes
/// scratch from exec.arena and gives it back.
void gpu_sum_of_squares(const Tensor& out, const Tensor& x, const Exec& exec);

}  // namespace hyscale::optim
