#pragma once

#include <algorithm>
#include <cstdint>

#include "core/kernels/attention.h"
#include "core/kernels/matrix_view.h"
#include "core/kernels/vector_math.h"

// What forward and backward of attention share: which tiles of scores exist, and which of their entries are masked.
namespace hyscale::kernels {

inline constexpr int64_t kQueryTile = 64;
inline constexpr int64_t kKeyTile = 64;

/// A score no softmax notices. Finite, so that a row without a visible key in one tile stays a number; what such a row
/// adds is rescaled to 0 by the first real score (every query sees itself).
inline constexpr double kMasked = -1e30;

/// Queries [query, query + rows) against keys [key, key + cols).
struct ScoreTile {
  int64_t query = 0, rows = 0;
  int64_t key = 0, cols = 0;
};

/// Calls fn(tile) for every tile of keys that a tile of queries sees anything of, keys ascending.
template <class F>
void for_each_key_tile(int64_t query, int64_t rows, CausalMask mask, F&& fn) {
  const int64_t end = query + rows;
  const int64_t first = mask.window > 0 ? std::max<int64_t>(0, query - mask.window + 1) : 0;
  for (int64_t key = 0; key < end; key += kKeyTile)
    if (key + kKeyTile > first || key < mask.sinks) fn(ScoreTile{query, rows, key, std::min(kKeyTile, end - key)});
}

/// Overwrites the scores that a query must not see, and the columns from `cols` to kKeyTile.
template <class T>
void mask_scores(T* scores, const ScoreTile& tile, CausalMask mask) {
  const T masked = static_cast<T>(kMasked);
  for (int64_t r = 0; r < tile.rows; ++r) {
    T* row = scores + r * kKeyTile;
    const int64_t query = tile.query + r;
    const int64_t seen_end = std::clamp<int64_t>(query + 1 - tile.key, 0, tile.cols);
    std::fill(row + seen_end, row + kKeyTile, masked);
    if (mask.window == 0) continue;
    const int64_t gap_begin = std::clamp<int64_t>(mask.sinks - tile.key, 0, seen_end);
    const int64_t gap_end = std::clamp<int64_t>(query - mask.window + 1 - tile.key, 0, seen_end);
    if (gap_begin < gap_end) std::fill(row + gap_begin, row + gap_end, masked);
  }
}

/// One head of one sequence as a matrix [length, dim].
template <class T>
View<T, 2> head_of(const Tensor& tensor, int64_t sequence, int64_t head) {
  return tensor.select(0, sequence).select(1, head).view<T, 2>();
}

/// Scores of a tile: kKeyTile apart, `cols` wide.
template <class T>
View<T, 2> score_matrix(T* scores, const ScoreTile& tile) {
  return {scores, {tile.rows, tile.cols}, {kKeyTile, 1}};
}

/// Throws ShapeError when q, k, v, out or lse disagree.
void check_attention(const AttentionArgs& args);

}  // namespace hyscale::kernels
