#pragma once

#include <initializer_list>
#include <type_traits>

#include "core/kernels/cuda/pack.h"

// Kernels that do the same to all entries of rows, 16 bytes a thread where the rows allow it.
namespace hyscale::kernels::cuda {

constexpr int kPointwiseThreads = 256;

/// Entries of T that one 16-byte access moves.
template <class T>
constexpr int kFullPack = 16 / static_cast<int>(sizeof(T));

/// Whether all of these may be read 16 bytes at a time from columns that are multiples of 16 bytes of them; empty ones
/// may.
inline bool whole_packs(std::initializer_list<const Tensor*> tensors) {
  for (const Tensor* const tensor : tensors) {
    if (tensor->data() == nullptr) continue;
    const bool rows_apart = tensor->rank() > 1 && tensor->extent(0) > 1;
    const uint64_t apart = rows_apart ? static_cast<uint64_t>(tensor->stride(0)) * size_of(tensor->dtype()) : 0;
    if ((reinterpret_cast<uintptr_t>(tensor->data()) | apart) % 16 != 0) return false;
  }
  return true;
}

/// Calls fn with how many entries of T a thread takes at once, as a constant: a full pack if `packed`, else 1.
template <class T, class F>
void with_pack(bool packed, F&& fn) {
  if (packed)
    fn(std::integral_constant<int, kFullPack<T>>{});
  else
    fn(std::integral_constant<int, 1>{});
}

/// N floats that lie 16-byte aligned if N > 1.
template <int N>
inline __device__ void load_floats(float (&to)[N], const float* from) {
  if constexpr (N == 1) {
    to[0] = *from;
  } else {
#pragma unroll
    for (int i = 0; i < N; i += 4) {
      const float4 four = *reinterpret_cast<const float4*>(from + i);
      to[i] = four.x, to[i + 1] = four.y, to[i + 2] = four.z, to[i + 3] = four.w;
    }
  }
}

template <int N>
inline __device__ void store_floats(float* to, const float (&from)[N]) {
  if constexpr (N == 1) {
    *to = from[0];
  } else {
#pragma unroll
    for (int i = 0; i < N; i += 4)
      *reinterpret_cast<float4*>(to + i) = make_float4(from[i], from[i + 1], from[i + 2], from[i + 3]);
  }
}

template <int N, class F>
__global__ void __launch_bounds__(kPointwiseThreads) pointwise_kernel(F f, int64_t rows, int64_t packs) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kPointwiseThreads + threadIdx.x, count = rows * packs;
  if (i >= count) return;
  const int64_t row = count <= UINT32_MAX ? static_cast<uint32_t>(i) / static_cast<uint32_t>(packs) : i / packs;
  f(row, (i - row * packs) * N);
}

/// f(row, column), a device function, for every row and each N-th column.
template <int N, class F>
void pointwise(const char* kernel, int64_t rows, int64_t width, const Exec& exec, const F& f) {
  const int64_t packs = width / N;
  if (rows * packs == 0) return;
  const auto blocks = static_cast<unsigned>(divide_up(rows * packs, kPointwiseThreads));
  pointwise_kernel<N><<<blocks, kPointwiseThreads, 0, cuda_context(exec).stream()>>>(f, rows, packs);
  check_launch(kernel);
}

}  // namespace hyscale::kernels::cuda
