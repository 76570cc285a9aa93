#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// Which keys a query sees: itself and what stands before it in its document; with window > 0 only the last `window` of
/// those and the first `sinks` of its document.
struct CausalMask {
  int64_t window = 0;
  int64_t sinks = 0;
};

/// Causal softmax attention with grouped keys and values: query head h reads key head h / (heads / kv_heads).
///   p = softmax_j(scale · q·k_j) over the visible j,  out = Σ_j p_j v_j,  lse = log Σ_j e^(scale · q·k_j)
/// Tiles with an online softmax (Dao et al. 2022): no more than one tile of scores per thread exists. Last strides
/// are 1.
struct AttentionArgs {
  Tensor out;  // [sequences, length, heads, value_dim]  written
  Tensor lse;  // [sequences, heads, length]             written; backward reads it
  Tensor q;    // [sequences, length, heads, dim]
  Tensor k;    // [sequences, length, kv_heads, dim]
  Tensor v;    // [sequences, length, kv_heads, value_dim]
  double scale = 1;
  CausalMask mask;
  Tensor document_begins{};  // see documents.h
};
/// Throws ShapeError when shapes disagree, ConfigError for a GPU when the build has no CUDA.
void attention(const AttentionArgs& args, const Exec& exec);

/// Scores are computed again tile by tile from q, k and lse. One task per sequence and key head sums in a fixed order.
struct AttentionBackwardArgs {
  Tensor dq, dk, dv;    // as q, k, v  written; need not be dense
  Tensor dout;          // as out
  AttentionArgs saved;  // of forward, everything still intact
};
/// Throws like attention.
void attention_backward(const AttentionBackwardArgs& args, const Exec& exec);

}  // namespace hyscale::kernels
