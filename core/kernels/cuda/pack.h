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

/// One store of 16 bytes. Said in PTX: the compiler often stores what is assigned in parts.
inline __device__ void store_16_bytes(void* to, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};"
               :
               : "l"(__cvta_generic_to_global(to)), "r"(a), "r"(b), "r"(c), "r"(d)
               : "memory");
}

template <int kWords>
inline __device__ void store_words(void* to, const uint32_t (&words)[kWords]) {
  static_assert(kWords <= 2 || kWords % 4 == 0);
  if constexpr (kWords == 1) *static_cast<uint32_t*>(to) = words[0];
  if constexpr (kWords == 2) *static_cast<uint2*>(to) = make_uint2(words[0], words[1]);
#pragma unroll
  for (int w = 0; w + 4 <= kWords; w += 4)
    store_16_bytes(static_cast<uint32_t*>(to) + w, words[w], words[w + 1], words[w + 2], words[w + 3]);
}

template <class T, int N>
inline __device__ void store_pack(T* to, const float (&values)[N]) {
  if constexpr (N == 1) {
    *to = from_f32<T>(values[0]);
  } else {
    constexpr int kPerWord = 4 / static_cast<int>(sizeof(T));
    uint32_t words[N / kPerWord];
#pragma unroll
    for (int w = 0; w < N / kPerWord; ++w)
      if constexpr (kPerWord == 1) {
        words[w] = __float_as_uint(values[w]);
      } else {
        const __nv_bfloat162 two = __floats2bfloat162_rn(values[2 * w], values[2 * w + 1]);
        words[w] = reinterpret_cast<const uint32_t&>(two);
      }
    store_words(to, words);
  }
}

/// A pack as loaded. Where values wait in registers this is the form: entries of 16 bits, taken apart, would fill twice
/// as many, and taking them apart would wait for the load.
template <class T, int N>
struct alignas(N * sizeof(T)) LoadedPack {
  static constexpr bool kPairs = sizeof(T) == 2 && N > 1;
  using Word = std::conditional_t<kPairs, uint32_t, std::remove_const_t<T>>;
  Word words[kPairs ? N / 2 : N];

  __device__ float operator[](int i) const {
    if constexpr (kPairs)
      return __uint_as_float(i % 2 == 0 ? words[i / 2] << 16 : words[i / 2] & 0xffff0000u);
    else
      return to_f32(words[i]);
  }
};

template <int N, class T>
inline __device__ LoadedPack<std::remove_const_t<T>, N> load_packed(T* from) {
  return *reinterpret_cast<const LoadedPack<std::remove_const_t<T>, N>*>(from);
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
