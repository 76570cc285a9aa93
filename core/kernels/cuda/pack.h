#pragma once

#include <cstdint>

#include "core/kernels/cuda/launch.h"

namespace hyscale::kernels::cuda {

/// N neighbouring entries of a row, moved by one load or store.
template <class T, int N>
struct alignas(N * sizeof(T)) Pack {
  T v[N];
};

template <int N, class T>
inline __device__ Pack<std::remove_const_t<T>, N> load_pack(T* from) {
  return *reinterpret_cast<const Pack<std::remove_const_t<T>, N>*>(from);
}

template <class T, int N>
inline __device__ void store_pack(T* to, const float (&values)[N]) {
  Pack<T, N> pack;
#pragma unroll
  for (int i = 0; i < N; ++i) pack.v[i] = from_f32<T>(values[i]);
  *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

/// Whether packs of N entries that begin at multiples of N columns are aligned in all rows of `tensor` (rank 2).
template <int N>
bool packs_fit(const Tensor& tensor) {
  const auto unit = static_cast<uint64_t>(N * size_of(tensor.dtype()));
  const auto bytes_between_rows = static_cast<uint64_t>(tensor.stride(0)) * size_of(tensor.dtype());
  return reinterpret_cast<uintptr_t>(tensor.data()) % unit == 0 && bytes_between_rows % unit == 0;
}

/// 1 / (1 + e^-x), two instructions of the special unit; relative error about 1e-7 (1 + |x|).
inline __device__ float sigmoid(float x) {
  float power, result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x * -1.4426950408889634f));
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(1.0f + power));
  return result;
}

}  // namespace hyscale::kernels::cuda
