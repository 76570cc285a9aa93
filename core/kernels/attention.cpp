#include "core/kernels/attention.h"

#include <cmath>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/kernels/attention_tiles.h"
#include "core/kernels/cuda/twins.h"
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
  check_documents(a.document_begins, sequences, length);
}

// Running maximum and sum of one tile of queries, before the division.
template <class T>
struct OnlineSoftmax {
  T top[kQueryTile];
  T sum[kQueryTile];
};

// Turns scores into weights relative to the new maximum and shrinks what was gathered under the old one. A row that
// sees nothing of this tile weighs nothing: its maximum would be a masked score, whose product with `scale` is rounded
// by far more than an exponential forgives.
template <class T>
static void update_row(T* row, T scale, T& top, T& sum, T* out, int64_t value_dim) {
  const T most = largest(row, kKeyTile), old = top;
  if (most == static_cast<T>(kMasked)) {
    std::fill_n(row, kKeyTile, T(0));
    return;
  }
  top = std::max(top, most * scale);
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

// Every key head of every sequence turned to [dim, length]; its query heads and their tiles share it.
template <class T>
struct TurnedKeys {
  T* data;
  int64_t row, head_size;

  TurnedKeys(const Tensor& k, Arena& arena)
      : row(turned_stride<T>(k.extent(1))), head_size(round_up(k.extent(3), kLanes<T>) * row) {
    const int64_t kv_heads = k.extent(2), count = k.extent(0) * kv_heads;
    data = take<T>(arena, count * head_size);
    parallel_for(count, 1, [&](int64_t i, int64_t) {
      turn_rows<T>(read_only(head_of<T>(k, i / kv_heads, i % kv_heads)), {data + i * head_size, row});
    });
  }
  Rows<const T> of(int64_t index) const { return {data + index * head_size, row}; }
};

template <class T>
static void attend(const AttentionArgs& a, const TurnedKeys<T>& keys, int64_t sequence, int64_t head, int64_t query,
                   int64_t rows) {
  Arena& arena = thread_arena();
  const Arena::Scope scope(arena);
  const int64_t kv_head = head / (a.q.extent(2) / a.k.extent(2));
  const auto q = part(head_of<T>(a.q, sequence, head), 0, query, rows);
  const auto out = part(head_of<T>(a.out, sequence, head), 0, query, rows);
  const auto v = read_only(head_of<T>(a.v, sequence, kv_head));
  const Rows<const T> keys_turned = keys.of(sequence * a.k.extent(2) + kv_head);
  T* lse = a.lse.select(0, sequence).select(0, head).as<T>() + query;
  const int64_t width = round_up(out.extent(1), kLanes<T>);
  T* const scores = take<T>(arena, kQueryTile * kKeyTile);
  const Rows<T> sums{take<T>(arena, kQueryTile * width), width};
  OnlineSoftmax<T> softmax;
  std::fill_n(softmax.top, rows, static_cast<T>(2 * kMasked));
  std::fill_n(softmax.sum, rows, T(0));
  bool first = true;
  const SequenceMask mask = mask_of(a, sequence);
  for_each_key_tile(query, rows, mask, [&](const ScoreTile& tile) {
    const Arena::Scope of_tile(arena);
    score_tile<T>(tile, {q.data, q.stride(0), q.stride(1)}, q.extent(1), keys_turned, scores);
    mask_scores(scores, tile, mask);
    for (int64_t r = 0; r < rows; ++r)
      update_row(scores + r * kKeyTile, static_cast<T>(a.scale), softmax.top[r], softmax.sum[r], sums[r],
                 first ? 0 : width);
    small_product<T>(on_diagonal(tile) ? Part::lower_left : Part::whole, rows, width, tile.cols, {scores, kKeyTile, 1},
                     vector_rows(arena, part(v, 0, tile.key, tile.cols)), sums, !first);
    first = false;
  });
  for (int64_t r = 0; r < rows; ++r) {
    const T inverse = 1 / softmax.sum[r];
    for (int64_t d = 0; d < out.extent(1); ++d) out(r, d) = sums[r][d] * inverse;
    lse[r] = softmax.top[r] + std::log(softmax.sum[r]);
  }
}

void attention(const AttentionArgs& args, const Exec& exec) {
  check_attention(args);
  if (exec.device == Device::cuda) return cuda::attention(args, exec);
  const int64_t length = args.q.extent(1), heads = args.q.extent(2);
  const int64_t tiles = (length + kQueryTile - 1) / kQueryTile;
  with_real(args.q.dtype(), [&]<class T>(T) {
    const Arena::Scope scope(thread_arena());
    const TurnedKeys<T> keys(args.k, thread_arena());
    // neighbours share keys and values: all tiles of a head, then the next head
    parallel_for(args.q.extent(0) * heads * tiles, 1, [&](int64_t task, int64_t) {
      const int64_t query = task % tiles * kQueryTile, head = task / tiles % heads, sequence = task / tiles / heads;
      attend<T>(args, keys, sequence, head, query, std::min(kQueryTile, length - query));
    });
  });
}

}  // namespace hyscale::kernels
