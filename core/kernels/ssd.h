#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// Mamba-2's state space scan (Dao & Gu 2024, "SSD"). Per sequence and head h, with group g = h / (heads / groups):
///   dt_t = softplus(dt_raw_t + dt_bias),  A = -exp(a_log)
///   S_t  = exp(dt_t A) S_{t-1} + dt_t B_t x_tᵀ     [d_state, head_dim]
///   y_t  = S_tᵀ C_t + d · x_t
/// At the first token of a document S_{t-1} counts as 0.
struct SsdShape {
  int64_t sequences = 0;
  int64_t length = 0;  // tokens of each sequence; rows are sequence-major
  int64_t heads = 0;
  int64_t head_dim = 0;
  int64_t groups = 0;  // divides heads
  int64_t d_state = 0;
  int64_t chunk = 0;  // tokens worked on as one block of matrix products; the last chunk may be shorter
  int64_t tokens() const { return sequences * length; }
  int64_t chunks() const { return (length + chunk - 1) / chunk; }
};

/// All f32 or all f64. Rows may be windows on wider rows; within a row entries are contiguous.
struct SsdInputs {
  Tensor x;                  // [tokens, heads·head_dim]
  Tensor b;                  // [tokens, groups·d_state]
  Tensor c;                  // [tokens, groups·d_state]
  Tensor dt_raw;             // [tokens, heads]
  Tensor dt_bias;            // [heads]
  Tensor a_log;              // [heads]
  Tensor d;                  // [heads]
  Tensor initial_state;      // [sequences, heads, d_state, head_dim]; empty: zeros
  Tensor document_begins{};  // see documents.h
};

/// What forward leaves for backward, in exec.arena. The layout is the kernel's own business.
struct SsdSaved {
  Tensor dt;      // [sequences, heads, length]
  Tensor states;  // [sequences, heads, chunks, d_state, padded head_dim] at each chunk's start
};

/// Gradients of the inputs: overwritten, except those of the parameters, which are accumulated.
struct SsdGradients {
  Tensor x, b, c;            // shapes of the inputs, written
  Tensor dt_raw;             // [tokens, heads or more], written; 0 in the columns behind the heads
  Tensor dt_bias, a_log, d;  // [heads], +=
};

/// y [tokens, heads·head_dim] written, overlapping no input; `final_state` [sequences, heads, d_state, head_dim] is
/// written unless empty. In chunks: matrix products inside a chunk, the state carried between chunks; decays in log
/// space, never above 1. The result does not depend on the number of threads. Throws ShapeError, and
/// ConfigError for a GPU when the build has no CUDA.
SsdSaved ssd_forward(const SsdShape& shape, const SsdInputs& in, const Tensor& y, const Tensor& final_state,
                     const Exec& exec);

/// Backward of ssd_forward for dy [tokens, heads·head_dim]; initial_state gets no gradient. Scratch comes from
/// exec.arena. Sums over heads, tokens and sequences have a fixed order. Throws alike.
void ssd_backward(const SsdShape& shape, const SsdInputs& in, const SsdSaved& saved, const Tensor& dy,
                  const SsdGradients& gradients, const Exec& exec);

/// The same map token by token, as the formulae above read: what decoding uses (length 1) and what tests compare with.
/// `final_state` may be the same tensor as in.initial_state. On the CPU; throws ShapeError.
void ssd_recurrence(const SsdShape& shape, const SsdInputs& in, const Tensor& y, const Tensor& final_state);

}  // namespace hyscale::kernels
