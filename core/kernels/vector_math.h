#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace hyscale::kernels {

/// Bytes of a vector: what the instruction set that this copy of the kernels is compiled for moves at once.
#if defined(__AVX512F__)
inline constexpr size_t kVectorBytes = 64;
#else
inline constexpr size_t kVectorBytes = 32;
#endif

/// So many bytes of T handled as one value by the compiler's vector extension: arithmetic and comparisons work lane by
/// lane on any architecture; `mask ? a : b` picks lanes.
template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  using Type [[gnu::vector_size(kVectorBytes)]] = float;
  using Unaligned [[gnu::vector_size(kVectorBytes), gnu::aligned(4), gnu::may_alias]] = float;
  using Mask [[gnu::vector_size(kVectorBytes)]] = int32_t;
};
template <>
struct VectorOf<double> {
  using Type [[gnu::vector_size(kVectorBytes)]] = double;
  using Unaligned [[gnu::vector_size(kVectorBytes), gnu::aligned(8), gnu::may_alias]] = double;
  using Mask [[gnu::vector_size(kVectorBytes)]] = int64_t;
};
template <class T>
using Vec = typename VectorOf<T>::Type;
template <class T>
inline constexpr int64_t kLanes = static_cast<int64_t>(kVectorBytes / sizeof(T));

constexpr int64_t round_up(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }

/// Unaligned load and store. Not by memcpy: GCC 12 moves that in halves through the stack, six times slower.
template <class T>
inline Vec<T> load(const T* p) {
  return *reinterpret_cast<const typename VectorOf<T>::Unaligned*>(p);
}
template <class T>
inline void store(T* p, Vec<T> v) {
  *reinterpret_cast<typename VectorOf<T>::Unaligned*>(p) = v;
}
/// The first `count` lanes (0 < count ≤ kLanes), the others 0; nothing behind them is touched.
template <class T>
inline Vec<T> load_some(const T* p, int64_t count) {
  if (count == kLanes<T>) return load(p);
  Vec<T> v{};
  std::memcpy(&v, p, static_cast<size_t>(count) * sizeof(T));
  return v;
}
template <class T>
inline void store_some(T* p, Vec<T> v, int64_t count) {
  if (count == kLanes<T>) return store(p, v);
  std::memcpy(p, &v, static_cast<size_t>(count) * sizeof(T));
}
template <class T>
inline Vec<T> broadcast(T value) {
  return value - Vec<T>{};  // folds to a broadcast; adding would have to turn -0 into 0
}
/// Calls visit(column, lanes) for vectors over [begin, end); the last one may have fewer lanes.
template <class T, class F>
inline void for_each_vector(int64_t begin, int64_t end, F&& visit) {
  int64_t i = begin;
  for (; i + kLanes<T> <= end; i += kLanes<T>) visit(i, kLanes<T>);
  if (i < end) visit(i, end - i);
}
/// The largest of `count` entries, a multiple of kLanes.
template <class T>
inline T largest(const T* row, int64_t count) {
  Vec<T> most = load(row);
  for (int64_t i = kLanes<T>; i < count; i += kLanes<T>) {
    const Vec<T> here = load(row + i);
    most = here > most ? here : most;
  }
  T top = most[0];
  for (int64_t lane = 1; lane < kLanes<T>; ++lane) top = most[lane] > top ? most[lane] : top;
  return top;
}
/// Sum of the lanes, pairwise, in one fixed order.
template <class T>
inline T lane_sum(Vec<T> v) {
  T lanes[kLanes<T>];
  store(lanes, v);
  for (int64_t width = kLanes<T> / 2; width > 0; width /= 2)
    for (int64_t i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  return lanes[0];
}

/// e^x lane by lane. float: relative error ≤ 2e-7; 0 below -87.3, e^88.3 above 88.3 (2^128 has no float); NaN stays
/// NaN. double: the library's exp.
inline Vec<float> exp(Vec<float> x) {
  using Mask = VectorOf<float>::Mask;
  const Vec<float> low = broadcast(-87.3F), high = broadcast(88.3F);
  const Mask vanishes = x < low;
  Vec<float> r = vanishes ? low : x;
  r = r > high ? high : r;
  constexpr float kShifter = 12582912.0F;  // 1.5 × 2^23: adding it rounds to the nearest integer
  const Vec<float> shifted = r * 1.44269504F + kShifter;
  const Vec<float> n = shifted - kShifter;
  r = r - n * 0.693145752F - n * 1.42860677e-6F;  // ln 2 in two parts
  // minimax polynomial of (e^r - 1 - r) / r² on |r| ≤ ln 2 / 2
  Vec<float> p = broadcast(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  Mask bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits - 0x4B400000 + 127) << 23;
  Vec<float> scale;
  std::memcpy(&scale, &bits, sizeof scale);
  p = p * scale;
  return vanishes ? Vec<float>{} : p;
}
inline Vec<double> exp(Vec<double> x) {
  for (int64_t i = 0; i < kLanes<double>; ++i) x[i] = std::exp(x[i]);
  return x;
}

/// 1 / (1 + e^-x).
template <class V>
inline V sigmoid(V x) {
  return 1 / (1 + exp(-x));
}

}  // namespace hyscale::kernels
