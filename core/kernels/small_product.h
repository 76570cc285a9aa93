#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/kernels/vector_math.h"
#include "core/kernels/with_constant.h"
#include "core/tensor/memory.h"

namespace hyscale::kernels {

/// Scratch of this thread: taken inside an Arena::Scope, reused by the next task, allocated only while it still grows.
inline Arena& thread_arena() {
  thread_local Arena arena;
  return arena;
}
template <class T>
T* take(Arena& arena, int64_t count) {
  const Tensor memory = arena.tensor(dtype_of<T>(), {count});
  return memory.as<T>();
}

/// Left operand of a small product: entry (i, k) is data[i·row + k·col], so a transpose costs nothing.
template <class T>
struct Left {
  const T* data = nullptr;
  int64_t row = 0;
  int64_t col = 0;
};

/// Right operand or result: rows contiguous, `row` elements apart.
template <class T>
struct Rows {
  T* data = nullptr;
  int64_t row = 0;
  T* operator[](int64_t i) const { return data + i * row; }
};

/// Which part of a product of square causal matrices is worked on. `lower_result`: only entries with column ≤ row are
/// wanted. `lower_left`, `upper_left`: the left operand is triangular. Blocks of kProductRows rows are treated as a
/// whole, so entries up to kProductRows - 1 beyond the diagonal are read (they must be 0) or written.
enum class Part { whole, lower_result, lower_left, upper_left };
inline constexpr int64_t kProductRows = 6;

template <class T, int R, int C>
inline void product_tile(int64_t k, Left<T> a, const T* b, int64_t b_row, Rows<T> c, bool add) {
  Vec<T> sum[R][C]{};
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) __builtin_prefetch(c[r], 1);  // needed when the sums are done
  const T* left = a.data;
  for (; k > 0; --k, left += a.col, b += b_row) {
    Vec<T> right[C];
#pragma GCC unroll 2
    for (int v = 0; v < C; ++v) right[v] = load(b + v * kLanes<T>);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const Vec<T> l = broadcast(left[r * a.row]);
#pragma GCC unroll 2
      for (int v = 0; v < C; ++v) sum[r][v] += l * right[v];
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < C; ++v) {
      T* const to = c[r] + v * kLanes<T>;
      store(to, add ? load(to) + sum[r][v] : sum[r][v]);
    }
}

template <class T, int R>
inline void product_rows(int64_t n, int64_t k, Left<T> a, Rows<const T> b, Rows<T> c, bool add) {
  constexpr int64_t kWide = 2 * kLanes<T>;
  int64_t j = 0;
  for (; j + kWide <= n; j += kWide) product_tile<T, R, 2>(k, a, b.data + j, b.row, {c.data + j, c.row}, add);
  if (j < n) product_tile<T, R, 1>(k, a, b.data + j, b.row, {c.data + j, c.row}, add);
}

/// c[m, n] = a[m, k] · b[k, n], or += when `add`. n is a multiple of kLanes. Each entry is summed over k in ascending
/// order, whatever the block it falls in.
template <class T>
void small_product(Part part, int64_t m, int64_t n, int64_t k, Left<T> a, Rows<const T> b, Rows<T> c, bool add) {
  for (int64_t i = 0; i < m; i += kProductRows) {
    const int64_t rows = std::min(kProductRows, m - i), end = i + rows;
    const int64_t first = part == Part::upper_left ? i : 0;
    const int64_t last = part == Part::lower_left ? std::min(k, end) : k;
    const int64_t width = part == Part::lower_result ? std::min(n, round_up(end, kLanes<T>)) : n;
    const Left<T> left{a.data + i * a.row + first * a.col, a.row, a.col};
    const Rows<const T> right{b[first], b.row};
    const Rows<T> result{c[i], c.row};
    with_constant<kProductRows>(
        rows, [&](auto count) { product_rows<T, count>(width, last - first, left, right, result, add); });
  }
}

template <class V, size_t... I>
inline void interleave(V a, V b, V& low, V& high, std::index_sequence<I...>) {
  constexpr size_t kCount = sizeof...(I);
  low = __builtin_shufflevector(a, b, (I / 2 + I % 2 * kCount)...);
  high = __builtin_shufflevector(a, b, (kCount / 2 + I / 2 + I % 2 * kCount)...);
}
/// a0 b0 a1 b1 … from the lower and from the upper halves.
template <class T>
inline void interleave(Vec<T> a, Vec<T> b, Vec<T>& low, Vec<T>& high) {
  interleave(a, b, low, high, std::make_index_sequence<static_cast<size_t>(kLanes<T>)>{});
}

/// to[j][i] = from[i][j] for i < rows, j < cols; columns rows … round_up(rows, kLanes) of `to` become 0. Rows of `from`
/// are read in whole vectors: they must be padded.
template <class T>
void transpose(int64_t rows, int64_t cols, Rows<const T> from, Rows<T> to) {
  constexpr int64_t L = kLanes<T>;
  for (int64_t i = 0; i < rows; i += L) {
    for (int64_t j = 0; j < cols; j += L) {
      Vec<T> now[L], next[L];
      for (int64_t r = 0; r < L; ++r) now[r] = i + r < rows ? load(from[i + r] + j) : Vec<T>{};
      for (int64_t stage = 1; stage < L; stage *= 2) {
        for (int64_t r = 0; r < L / 2; ++r) interleave<T>(now[r], now[r + L / 2], next[2 * r], next[2 * r + 1]);
        std::copy(next, next + L, now);
      }
      for (int64_t r = 0; r < std::min(L, cols - j); ++r) store(to[j + r] + i, now[r]);
    }
  }
}

/// to[i] = scale(i) · from[i] for i < rows, rows padded with 0 to a whole vector.
template <class T, class Scale>
void pack_rows(int64_t rows, int64_t cols, Rows<const T> from, Rows<T> to, Scale scale) {
  constexpr int64_t L = kLanes<T>;
  for (int64_t i = 0; i < rows; ++i) {
    const T factor = scale(i);
    int64_t j = 0;
    for (; j + L <= cols; j += L) store(to[i] + j, factor * load(from[i] + j));
    if (j < cols) store(to[i] + j, factor * load_some(from[i] + j, cols - j));
  }
}

}  // namespace hyscale::kernels
