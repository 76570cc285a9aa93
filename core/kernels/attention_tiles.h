#pragma once

#include <algorithm>
#include <cstdint>

#include "core/kernels/attention.h"
#include "core/kernels/documents.h"
#include "core/kernels/matrix_view.h"
#include "core/kernels/small_product.h"

// What forward and backward of attention share: which tiles of scores exist, and which of their entries are masked.
namespace hyscale::kernels {

inline constexpr int64_t kQueryTile = 64;
inline constexpr int64_t kKeyTile = 64;

/// A score no softmax notices, in a row with a real one.
inline constexpr double kMasked = -1e30;

/// Queries [query, query + rows) against keys [key, key + cols).
struct ScoreTile {
  int64_t query = 0, rows = 0;
  int64_t key = 0, cols = 0;
};

/// The mask of one sequence.
struct SequenceMask {
  CausalMask rule;
  DocumentBegins documents;
};
inline SequenceMask mask_of(const AttentionArgs& args, int64_t sequence) {
  return {args.mask, DocumentBegins(args.document_begins, sequence)};
}

/// Calls fn(tile) for every tile of keys that a tile of queries sees anything of, keys ascending. The first query's
/// document decides: no later query sees further back, but for sinks of documents that begin within the queries.
template <class F>
void for_each_key_tile(int64_t query, int64_t rows, const SequenceMask& mask, F&& fn) {
  const int64_t end = query + rows, document = mask.documents.begin(query);
  const int64_t first = mask.rule.window > 0 ? std::max(document, query - mask.rule.window + 1) : document;
  for (int64_t key = document / kKeyTile * kKeyTile; key < end; key += kKeyTile)
    if (key + kKeyTile > first || key < document + mask.rule.sinks)
      fn(ScoreTile{query, rows, key, std::min(kKeyTile, end - key)});
}

/// Overwrites the scores that a query must not see, and the columns from `cols` to kKeyTile.
template <class T>
void mask_scores(T* scores, const ScoreTile& tile, const SequenceMask& mask) {
  const T masked = static_cast<T>(kMasked);
  for (int64_t r = 0; r < tile.rows; ++r) {
    T* row = scores + r * kKeyTile;
    const int64_t query = tile.query + r;
    const int64_t seen_end = std::clamp<int64_t>(query + 1 - tile.key, 0, tile.cols);
    std::fill(row + seen_end, row + kKeyTile, masked);
    const int64_t document = mask.documents.begin(query) - tile.key;
    if (document > 0) std::fill(row, row + std::min(document, seen_end), masked);
    if (mask.rule.window == 0) continue;
    const int64_t gap_begin = std::clamp<int64_t>(document + mask.rule.sinks, 0, seen_end);
    const int64_t gap_end = std::clamp<int64_t>(query - mask.rule.window + 1 - tile.key, 0, seen_end);
    if (gap_begin < gap_end) std::fill(row + gap_begin, row + gap_end, masked);
  }
}

/// One head of one sequence as a matrix [length, dim].
template <class T>
View<T, 2> head_of(const Tensor& tensor, int64_t sequence, int64_t head) {
  return tensor.select(0, sequence).select(1, head).view<T, 2>();
}

/// What of a tile's products is wanted: on the diagonal a query sees no later key.
inline bool on_diagonal(const ScoreTile& tile) { return tile.key == tile.query; }
static_assert(kQueryTile == kKeyTile, "tiles meet the diagonal in corners");

/// The rows of `v` where they are when whole vectors can be read from them, else a padded copy in `arena`.
template <class T>
Rows<const T> vector_rows(Arena& arena, View<const T, 2> v) {
  const int64_t width = round_up(v.extent(1), kLanes<T>);
  if (v.extent(1) == width && v.stride(1) == 1) return {v.data, v.stride(0)};
  const Rows<T> copy{take<T>(arena, v.extent(0) * width), width};
  pack_rows<T>(v.extent(0), v.extent(1), {v.data, v.stride(0)}, copy, [](int64_t) { return T(1); });
  return {copy.data, width};
}

/// Elements between the rows of a turned [length, dim] matrix.
template <class T>
int64_t turned_stride(int64_t length) {
  return row_stride(dtype_of<T>(), round_up(length, kLanes<T>));
}

/// [length, dim] as [dim, length]: what scores are multiplied with. `to` holds round_up(dim, kLanes) rows.
template <class T>
void turn_rows(View<const T, 2> v, Rows<T> to) {
  Arena& arena = thread_arena();
  const Arena::Scope scope(arena);
  transpose<T>(v.extent(0), v.extent(1), vector_rows(arena, v), to);
}

/// scores [rows, cols] = queries · keysᵀ, kKeyTile apart, whole vectors; on the diagonal only what a query sees.
template <class T>
void score_tile(const ScoreTile& tile, Left<T> queries, int64_t dim, Rows<const T> keys_turned, T* scores) {
  small_product<T>(on_diagonal(tile) ? Part::lower_result : Part::whole, tile.rows, round_up(tile.cols, kLanes<T>), dim,
                   queries, {keys_turned.data + tile.key, keys_turned.row}, {scores, kKeyTile}, false);
}

/// Throws ShapeError when q, k, v, out or lse disagree.
void check_attention(const AttentionArgs& args);

}  // namespace hyscale::kernels
