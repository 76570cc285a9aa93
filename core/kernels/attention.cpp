#include "core/kernels/attention.h"

#include <cmath>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/kernels/attention_tiles.h"
#include "core/kernels/cpu_only.h"
#include "core/kernels/gemm.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {

void check_attention(const AttentionArgs& a) {
  if (a.q.rank() != 4 || a.k.rank() != 4 || a.v.rank() != 4)
    throw ShapeError(fmt::format("attention: q is {}, k is {}, v is {}; each needs [sequences, length, heads, dim]",
                                 a.q.describe(), a.k.describe(), a.v.describe()));
  const int64_t sequences = a.q.extent(0), length = a.q.extent(1), heads = a.q.extent(2), kv_heads = a.k.extent(2);
  if (kv_heads == 0 || heads % kv_heads != 0)
    throw ShapeError(fmt::format("attention: {} heads do not share {} key heads evenly", heads, kv_heads));
  expect_shape("attention k", a.k, {sequences, length, kv_heads, a.q.extent(3)});
  expect_shape("attention v", a.v, {sequences, length, kv_heads, a.v.extent(3)});
  expect_shape("attention out", a.out, {sequences, length, heads, a.v.extent(3)});
  expect_shape("attention lse", a.lse, {sequences, heads, length});
}

// Running maximum and sum of one tile of queries, before the division.
template <class T>
struct OnlineSoftmax {
  T top[kQueryTile];
  T sum[kQueryTile];
};

// Turns scores into weights relative to the new maximum and shrinks what was gathered under the old one.
template <class T>
static void update_row(T* row, T scale, T& top, T& sum, T* out, int64_t value_dim) {
  const T old = top;
  top = std::max(top, largest(row, kKeyTile) * scale);
  Vec<T> gathered{};
  for (int64_t c = 0; c < kKeyTile; c += kLanes<T>) {
    const Vec<T> e = exp(load(row + c) * scale - top);
    store(row + c, e);
    gathered += e;
  }
  const T shrink = std::exp(old - top);
  sum = sum * shrink + lane_sum<T>(gathered);
  if (shrink != 1)
    for (int64_t d = 0; d < value_dim; ++d) out[d] *= shrink;
}

template <class T>
static void attend(const AttentionArgs& a, int64_t sequence, int64_t head, int64_t query, int64_t rows) {
  const int64_t kv_head = head / (a.q.extent(2) / a.k.extent(2));
  const auto q = part(head_of<T>(a.q, sequence, head), 0, query, rows);
  const auto out = part(head_of<T>(a.out, sequence, head), 0, query, rows);
  const auto k = head_of<T>(a.k, sequence, kv_head), v = head_of<T>(a.v, sequence, kv_head);
  T* lse = a.lse.select(0, sequence).select(0, head).as<T>() + query;
  alignas(64) T scores[kQueryTile * kKeyTile];
  OnlineSoftmax<T> softmax;
  std::fill_n(softmax.top, rows, static_cast<T>(2 * kMasked));
  std::fill_n(softmax.sum, rows, T(0));
  bool first = true;
  for_each_key_tile(query, rows, a.mask, [&](const ScoreTile& tile) {
    const auto tile_k = part(k, 0, tile.key, tile.cols), tile_v = part(v, 0, tile.key, tile.cols);
    const auto s = score_matrix(scores, tile);
    multiply<T>(read_only(q), turned(read_only(tile_k)), s);
    mask_scores(scores, tile, a.mask);
    for (int64_t r = 0; r < rows; ++r)
      update_row(scores + r * kKeyTile, static_cast<T>(a.scale), softmax.top[r], softmax.sum[r], &out(r, 0),
                 first ? 0 : out.extent(1));
    multiply<T>(read_only(s), read_only(tile_v), out, !first);
    first = false;
  });
  for (int64_t r = 0; r < rows; ++r) {
    const T inverse = 1 / softmax.sum[r];
    for (int64_t d = 0; d < out.extent(1); ++d) out(r, d) *= inverse;
    lse[r] = softmax.top[r] + std::log(softmax.sum[r]);
  }
}

void attention(const AttentionArgs& args, const Exec& exec) {
  cpu_only("attention", exec);
  check_attention(args);
  const int64_t length = args.q.extent(1), heads = args.q.extent(2);
  const int64_t tiles = (length + kQueryTile - 1) / kQueryTile;
  with_real(args.q.dtype(), [&]<class T>(T) {
    // neighbours share keys and values: all tiles of a head, then the next head
    parallel_for(args.q.extent(0) * heads * tiles, 1, [&](int64_t task, int64_t) {
      const int64_t query = task % tiles * kQueryTile, head = task / tiles % heads, sequence = task / tiles / heads;
      attend<T>(args, sequence, head, query, std::min(kQueryTile, length - query));
    });
  });
}

}  // namespace hyscale::kernels
