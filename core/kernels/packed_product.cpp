#include "core/kernels/packed_product.h"

#include <algorithm>
#include <cstring>

#include "core/kernels/matrix_view.h"
#include "core/kernels/small_product.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {
namespace {

constexpr int64_t kTaskRows = 192;             // their part of `a` (192 KB) stays in L2
constexpr int64_t kTaskColumns = 512;          // their part of `out` (384 KB) stays in L2 from one depth to the next
constexpr int64_t kPacked = int64_t{1} << 22;  // elements of b packed at once

template <class T>
inline constexpr int64_t kPanel = 2 * kLanes<T>;  // columns of a tile
/// Of one pass of the micro-kernel: a panel of b (16 KB) fills half of L1.
template <class T>
inline constexpr int64_t kDepth = 16384 / (kPanel<T> * static_cast<int64_t>(sizeof(T)));

/// Columns first … of b[k, n], `width` of them, scaled, as [k][kPanel]; what is missing to kPanel is 0.
template <class T>
void pack_panel(View<const T, 2> b, int64_t first, T alpha, T* to) {
  const int64_t depth = b.extent(0), width = std::min(kPanel<T>, b.extent(1) - first);
  const Rows<T> panel{to, kPanel<T>};
  if (b.stride(1) == 1 && width == kPanel<T>) {
    for (int64_t k = 0; k < depth; ++k) {
      const T* from = &b(k, first);
      for (int64_t v = 0; v < kPanel<T>; v += kLanes<T>) store(panel[k] + v, alpha * load(from + v));
    }
    return;
  }
  const int64_t turned_depth = b.stride(0) == 1 && width == kPanel<T> ? depth / kLanes<T> * kLanes<T> : 0;
  transpose<T>(width, turned_depth, {&b(0, first), b.stride(1)}, panel);
  if (alpha != 1)
    for (int64_t i = 0; i < turned_depth * kPanel<T>; i += kLanes<T>) store(to + i, alpha * load(to + i));
  for (int64_t k = turned_depth; k < depth; ++k)
    for (int64_t j = 0; j < kPanel<T>; ++j) panel[k][j] = j < width ? alpha * b(k, first + j) : T(0);
}

/// Blocks of kProductRows rows of `a`, each as [depth][kProductRows]; rows that are missing in the last block are 0. A
/// few columns of all blocks at a time: they lie side by side in `a` and are fetched once.
template <class T>
void pack_rows_of(View<const T, 2> a, T* to) {
  constexpr int64_t kAtOnce = 16;
  const int64_t rows = a.extent(0), depth = a.extent(1);
  for (int64_t begin = 0; begin < depth; begin += kAtOnce) {
    const int64_t end = std::min(depth, begin + kAtOnce);
    for (int64_t i = 0; i < rows; i += kProductRows) {
      const int64_t count = std::min(kProductRows, rows - i);
      for (int64_t k = begin; k < end; ++k) {
        T* const of_k = to + i * depth + k * kProductRows;
        const T* const from = &a(i, k);
        if (count == kProductRows && a.stride(0) == 1)
          std::memcpy(of_k, from, kProductRows * sizeof(T));
        else
          for (int64_t r = 0; r < kProductRows; ++r) of_k[r] = r < count ? from[r * a.stride(0)] : T(0);
      }
    }
  }
}

/// One tile at the right edge: through a full one of our own.
template <class T, int R>
void edge_tile(int64_t depth, Left<T> a, const T* panel, Rows<T> out, int64_t width, bool add) {
  alignas(64) T tile[R * kPanel<T>] = {};
  const Rows<T> rows{tile, kPanel<T>};
  if (add)
    for (int64_t r = 0; r < R; ++r) std::copy_n(out[r], width, rows[r]);
  product_tile<T, R, 2>(depth, a, panel, kPanel<T>, rows, add);
  for (int64_t r = 0; r < R; ++r) std::copy_n(rows[r], width, out[r]);
}

/// Asks for a slice of the panel that comes next: it lies beyond L2, and waiting for it costs a tenth.
template <class T>
void prefetch_slice(const T* next, int64_t depth, int64_t slice, int64_t slices) {
  const int64_t bytes = depth * kPanel<T> * static_cast<int64_t>(sizeof(T)), step = round_up(bytes / slices, 64);
  const char* const begin = reinterpret_cast<const char*>(next);
  for (int64_t at = slice * step; at < std::min(bytes, (slice + 1) * step); at += 64)
    __builtin_prefetch(begin + at, 0, 2);
}

/// Rows of out += a block of rows of `a` (entry (i, k) at data[i·row + k·col] of its block) times one panel.
template <class T>
void multiply_panel(int64_t rows, int64_t depth, Left<T> a, int64_t a_block, const T* panel, const T* next, Rows<T> out,
                    int64_t width, bool add) {
  const int64_t tiles = (rows + kProductRows - 1) / kProductRows;
  for (int64_t i = 0; i < rows; i += kProductRows, a.data += a_block) {
    const Rows<T> to{out[i], out.row};
    prefetch_slice(next, depth, i / kProductRows, tiles);
    with_constant<kProductRows>(std::min(kProductRows, rows - i), [&](auto count) {
      if (width == kPanel<T>)
        product_tile<T, count, 2>(depth, a, panel, kPanel<T>, to, add);
      else
        edge_tile<T, count>(depth, a, panel, to, width, add);
    });
  }
}

/// One block of rows against panels first … last.
template <class T>
void multiply_block(View<const T, 2> a, const T* panels, int64_t first, int64_t last, View<T, 2> out, bool accumulate) {
  Arena& arena = thread_arena();
  const Arena::Scope scope(arena);
  const int64_t rows = a.extent(0), k = a.extent(1);
  const bool pack = a.stride(1) != 1;
  T* const packed = pack ? take<T>(arena, round_up(rows, kProductRows) * std::min(k, kDepth<T>)) : nullptr;
  for (int64_t begin = 0; begin < k; begin += kDepth<T>) {
    const int64_t depth = std::min(kDepth<T>, k - begin);
    if (pack) pack_rows_of(part(a, 1, begin, depth), packed);
    const Left<T> left = pack ? Left<T>{packed, 1, kProductRows} : Left<T>{&a(0, begin), a.stride(0), 1};
    const int64_t block = pack ? kProductRows * depth : kProductRows * a.stride(0);
    for (int64_t p = first; p < last; ++p)
      multiply_panel(rows, depth, left, block, panels + (p * k + begin) * kPanel<T>,
                     panels + (std::min(p + 1, last - 1) * k + begin) * kPanel<T>,
                     Rows<T>{&out(0, p * kPanel<T>), out.stride(0)}, std::min(kPanel<T>, out.extent(1) - p * kPanel<T>),
                     accumulate || begin > 0);
  }
}

}  // namespace

template <class T>
void packed_product(View<const T, 2> a, View<const T, 2> b, View<T, 2> out, bool accumulate, T alpha) {
  const int64_t m = out.extent(0), n = out.extent(1), k = a.extent(1);
  const int64_t panels = (n + kPanel<T> - 1) / kPanel<T>;
  const int64_t most = std::max(kDepth<T>, kPacked / (panels * kPanel<T>) / kDepth<T> * kDepth<T>);
  const int64_t wide = kTaskColumns / kPanel<T>, groups = (panels + wide - 1) / wide;
  // blocks of nearly one size, so that no thread ends with a stump
  const int64_t fewest = (m + kTaskRows - 1) / kTaskRows, block = round_up((m + fewest - 1) / fewest, kProductRows);
  const int64_t blocks = (m + block - 1) / block;
  Arena& arena = thread_arena();
  const Arena::Scope scope(arena);
  T* const packed = take<T>(arena, panels * kPanel<T> * std::min(k, most));
  for (int64_t begin = 0; begin < k; begin += most) {
    const int64_t depth = std::min(most, k - begin);
    const auto b_part = part(b, 0, begin, depth), a_part = part(a, 1, begin, depth);
    parallel_for(panels, std::max<int64_t>(1, 32768 / (depth * kPanel<T>)), [&](int64_t first, int64_t last) {
      for (int64_t p = first; p < last; ++p)
        pack_panel<T>(b_part, p * kPanel<T>, alpha, packed + p * depth * kPanel<T>);
    });
    parallel_for(blocks * groups, 1, [&](int64_t task, int64_t) {
      const int64_t row = task / groups * block, rows = std::min(block, m - row), first = task % groups * wide;
      multiply_block<T>(part(a_part, 0, row, rows), packed, first, std::min(panels, first + wide),
                        part(out, 0, row, rows), accumulate || begin > 0);
    });
  }
}

template void packed_product<float>(View<const float, 2>, View<const float, 2>, View<float, 2>, bool, float);
template void packed_product<double>(View<const double, 2>, View<const double, 2>, View<double, 2>, bool, double);

}  // namespace hyscale::kernels
