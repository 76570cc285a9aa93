#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// Causal depthwise convolution with silu, as in Mamba-2 (Dao & Gu 2024):
///   pre_t = bias + Σ_k weight[:, k] · u_{t - width + 1 + k},  out_t = silu(pre_t)
/// Tokens before a document's first count as 0, so a sequence's tokens see nothing of the sequence before it. Rows are
/// sequence-major and may be windows on wider rows. f32 or f64.
struct CausalConvArgs {
  int64_t sequences = 0;
  Tensor u;                  // [tokens, channels], tokens a multiple of sequences
  Tensor weight;             // [channels, width]   oldest tap first; width 1 … 8
  Tensor bias;               // [channels]
  Tensor document_begins{};  // see documents.h
  /// [sequences, width - 1, channels], dense, on the CPU and in forward: what stood before each sequence, instead of 0.
  Tensor history{};
};

/// out [tokens, channels] written; overlaps no input. Throws ShapeError, also for a width above 8, and ConfigError for
/// a GPU when the build has no CUDA.
void causal_conv_silu(const CausalConvArgs& args, const Tensor& out, const Exec& exec);

/// Moves args.history behind args.u: its last width - 1 rows together. On the CPU.
void remember_inputs(const CausalConvArgs& args);

/// From dout [tokens, channels]: du [tokens, channels] written, dweight and dbias accumulated. Recomputes pre; scratch
/// comes from exec.arena. Sums over tokens have a fixed order, whatever the number of threads.
/// Throws alike.
void causal_conv_silu_backward(const CausalConvArgs& args, const Tensor& dout, const Tensor& du, const Tensor& dweight,
                               const Tensor& dbias, const Exec& exec);

}  // namespace hyscale::kernels
