#pragma once

#include "core/kernels/cuda/ssd/sizes.h"

// The scan for every shape and type, in f32 and without tensor cores.
namespace hyscale::kernels::cuda::ssd {

constexpr int kPlainChunk = 64;
constexpr int kPlainThreads = 256;

template <class T>
struct PlainInputs {
  Rows<const T> x, b, c;
  const float *d, *initial;
  explicit PlainInputs(const SsdInputs& in)
      : x(rows_of<const T>(in.x)),
        b(rows_of<const T>(in.b)),
        c(rows_of<const T>(in.c)),
        d(pointer_to<const float>(in.d)),
        initial(pointer_to<const float>(in.initial_state)) {}
};

/// [kPlainChunk, kPlainChunk] in shared memory.
using Square = float[kPlainChunk][kPlainChunk + 1];

/// A chunk of one head: its decays, dt and square matrices.
struct PlainChunk {
  Square decay, scores;  // L; C Bᵀ where row ≥ column
  float dt[kPlainChunk], log_decay[kPlainChunk];
  float from_start[kPlainChunk], to_end[kPlainChunk], whole;
};

/// By all threads; synchronises before it returns. L is summed column by column from the token on.
inline __device__ void set_decays(PlainChunk& chunk, const Decays& decays, int64_t first) {
  const int t = static_cast<int>(threadIdx.x);
  __syncthreads();
  if (t < kPlainChunk) chunk.dt[t] = decays.dt[first + t], chunk.log_decay[t] = decays.log_decay[first + t];
  __syncthreads();
  if (t < kPlainChunk) {
    float sum = 0;
    for (int i = 0; i < kPlainChunk; ++i) {
      if (i > t) sum += chunk.log_decay[i];
      chunk.decay[i][t] = i < t ? 0 : exp2f(sum);
    }
    chunk.to_end[t] = exp2f(sum);
  } else if (t < 2 * kPlainChunk) {
    float sum = 0;
    for (int i = 0; i <= t - kPlainChunk; ++i) sum += chunk.log_decay[i];
    chunk.from_start[t - kPlainChunk] = exp2f(sum);
    if (t == 2 * kPlainChunk - 1) chunk.whole = exp2f(sum);
  }
  __syncthreads();
}

template <class T>
__device__ float dot(const T* a, const T* b, int count) {
  float sum = 0;
  for (int i = 0; i < count; ++i) sum += to_f32(a[i]) * to_f32(b[i]);
  return sum;
}

/// square[i][j] = left_i · right_j where j ≤ i < count, else 0. By all threads, without synchronising.
template <class T>
__device__ void products(Square& square, const T* left, int64_t left_stride, const T* right, int64_t right_stride,
                         int width, int count) {
  for (int at = static_cast<int>(threadIdx.x); at < kPlainChunk * kPlainChunk; at += kPlainThreads) {
    const int i = at / kPlainChunk, j = at % kPlainChunk;
    square[i][j] = j <= i && i < count ? dot(left + i * left_stride, right + j * right_stride, width) : 0;
  }
}

}  // namespace hyscale::kernels::cuda::ssd
