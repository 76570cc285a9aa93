#pragma once

namespace hyscale::kernels::cuda {

/// The sum over a warp, in all its lanes; a fixed tree.
inline __device__ float warp_sum(float value) {
#pragma unroll
  for (int apart = 16; apart > 0; apart /= 2) value += __shfl_xor_sync(0xFFFFFFFFu, value, apart);
  return value;
}

/// The sum over `kThreads` threads, in all of them: one warp, or a whole block of that many. Successive calls take
/// turns with `turn` 0 and 1, so that one barrier each is enough.
template <int kThreads>
inline __device__ float row_sum(float value, int turn) {
  value = warp_sum(value);
  if constexpr (kThreads > 32) {
    __shared__ float of_warp[2][kThreads / 32];
    if (threadIdx.x % 32 == 0) of_warp[turn][threadIdx.x / 32] = value;
    __syncthreads();
    value = 0;
#pragma unroll
    for (int w = 0; w < kThreads / 32; ++w) value += of_warp[turn][w];
  }
  return value;
}

}  // namespace hyscale::kernels::cuda
