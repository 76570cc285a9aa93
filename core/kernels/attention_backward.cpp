#include "core/kernels/attention.h"
#include "core/kernels/attention_tiles.h"
#include "core/kernels/cuda/twins.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {

// The matrices of one query head and of the key head it reads.
template <class T>
struct HeadViews {
  View<T, 2> q, k, v, out, dq, dk, dv, dout;  // [length, dim or value_dim]
  const T* lse;                               // [length]
};

template <class T>
static HeadViews<T> views_of(const AttentionBackwardArgs& a, int64_t sequence, int64_t head, int64_t kv_head) {
  return {.q = head_of<T>(a.saved.q, sequence, head),
          .k = head_of<T>(a.saved.k, sequence, kv_head),
          .v = head_of<T>(a.saved.v, sequence, kv_head),
          .out = head_of<T>(a.saved.out, sequence, head),
          .dq = head_of<T>(a.dq, sequence, head),
          .dk = head_of<T>(a.dk, sequence, kv_head),
          .dv = head_of<T>(a.dv, sequence, kv_head),
          .dout = head_of<T>(a.dout, sequence, head),
          .lse = a.saved.lse.select(0, sequence).select(0, head).template as<T>()};
}

// scores → weights p;  dp → ds = scale · p · (dp - out·dout)
template <class T>
static void weigh_row(T* scores, T* dp, T scale, T lse, T along) {
  for (int64_t c = 0; c < kKeyTile; c += kLanes<T>) {
    const Vec<T> p = exp(load(scores + c) * scale - lse);
    store(scores + c, p);
    store(dp + c, p * (load(dp + c) - along) * scale);
  }
}

// One key head of one sequence: what its query heads share.
template <class T>
struct KeyHead {
  Rows<T> keys_turned, values_turned;  // [dim or value_dim, length]
  Rows<const T> keys;                  // [length, whole vectors]
  Rows<T> dk, dv;                      // [length, whole vectors]: sums over the query heads
  T *scores, *dp;                      // [kQueryTile, kKeyTile]

  KeyHead(const HeadViews<T>& h, Arena& arena) : keys(vector_rows(arena, read_only(h.k))) {
    const int64_t length = h.k.extent(0), stride = turned_stride<T>(length);
    const auto sums = [&](int64_t dim) {
      const int64_t width = round_up(dim, kLanes<T>);
      const Rows<T> rows{take<T>(arena, length * width), width};
      std::fill_n(rows.data, length * width, T(0));
      return rows;
    };
    const auto turn = [&](View<T, 2> v) {
      const Rows<T> rows{take<T>(arena, round_up(v.extent(1), kLanes<T>) * stride), stride};
      turn_rows<T>(read_only(v), rows);
      return rows;
    };
    keys_turned = turn(h.k);
    values_turned = turn(h.v);
    dk = sums(h.k.extent(1));
    dv = sums(h.v.extent(1));
    scores = take<T>(arena, kQueryTile * kKeyTile);
    dp = take<T>(arena, kQueryTile * kKeyTile);
    std::fill_n(dp, kQueryTile * kKeyTile, T(0));  // what a tile does not write must be finite
  }
};

template <class T>
static Left<T> left(View<const T, 2> v) {
  return {v.data, v.stride(0), v.stride(1)};
}
template <class T>
static Rows<const T> constant(Rows<T> rows) {
  return {rows.data, rows.row};
}

template <class T>
static void backward_queries(const HeadViews<T>& h, const KeyHead<T>& key_head, int64_t query, int64_t rows, T scale,
                             const SequenceMask& mask) {
  Arena& arena = thread_arena();
  const Arena::Scope scope(arena);
  const auto q = read_only(part(h.q, 0, query, rows)), dout = read_only(part(h.dout, 0, query, rows));
  const auto out = part(h.out, 0, query, rows), dq = part(h.dq, 0, query, rows);
  const Rows<const T> q_rows = vector_rows(arena, q), dout_rows = vector_rows(arena, dout);
  const int64_t width = key_head.dk.row, value_width = key_head.dv.row;
  const Rows<T> dq_sum{take<T>(arena, rows * width), width};
  T along[kQueryTile];
  for (int64_t r = 0; r < rows; ++r) {
    along[r] = 0;
    for (int64_t d = 0; d < out.extent(1); ++d) along[r] += out(r, d) * dout(r, d);
  }
  T *const scores = key_head.scores, *const dp = key_head.dp;
  bool first = true;
  for_each_key_tile(query, rows, mask, [&](const ScoreTile& tile) {
    score_tile<T>(tile, left(q), q.extent(1), constant(key_head.keys_turned), scores);
    score_tile<T>(tile, left(dout), dout.extent(1), constant(key_head.values_turned), dp);
    mask_scores(scores, tile, mask);
    for (int64_t r = 0; r < rows; ++r)
      weigh_row(scores + r * kKeyTile, dp + r * kKeyTile, scale, h.lse[query + r], along[r]);
    const Part by_key = on_diagonal(tile) ? Part::upper_left : Part::whole;
    small_product<T>(by_key, tile.cols, value_width, rows, {scores, 1, kKeyTile}, dout_rows,
                     {key_head.dv[tile.key], value_width}, true);
    small_product<T>(by_key, tile.cols, width, rows, {dp, 1, kKeyTile}, q_rows, {key_head.dk[tile.key], width}, true);
    small_product<T>(on_diagonal(tile) ? Part::lower_left : Part::whole, rows, width, tile.cols, {dp, kKeyTile, 1},
                     {key_head.keys[tile.key], key_head.keys.row}, dq_sum, !first);
    first = false;
  });
  for (int64_t r = 0; r < rows; ++r) std::copy_n(dq_sum[r], dq.extent(1), &dq(r, 0));
}

template <class T>
static void copy_out(Rows<T> from, View<T, 2> to) {
  for (int64_t i = 0; i < to.extent(0); ++i) std::copy_n(from[i], to.extent(1), &to(i, 0));
}

void attention_backward(const AttentionBackwardArgs& args, const Exec& exec) {
  const AttentionArgs& saved = args.saved;
  check_attention(saved);
  expect_shape("attention dq", args.dq, saved.q.shape());
  expect_shape("attention dk", args.dk, saved.k.shape());
  expect_shape("attention dv", args.dv, saved.v.shape());
  expect_shape("attention dout", args.dout, saved.out.shape());
  if (exec.device == Device::cuda) return cuda::attention_backward(args, exec);
  const int64_t length = saved.q.extent(1), kv_heads = saved.k.extent(2), group = saved.q.extent(2) / kv_heads;
  with_real(saved.q.dtype(), [&]<class T>(T) {
    parallel_for(saved.q.extent(0) * kv_heads, 1, [&](int64_t task, int64_t) {
      const int64_t sequence = task / kv_heads, kv_head = task % kv_heads;
      Arena& arena = thread_arena();
      const Arena::Scope scope(arena);
      const KeyHead<T> key_head(views_of<T>(args, sequence, kv_head * group, kv_head), arena);
      for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        const HeadViews<T> views = views_of<T>(args, sequence, head, kv_head);
        for (int64_t query = 0; query < length; query += kQueryTile)
          backward_queries(views, key_head, query, std::min(kQueryTile, length - query), static_cast<T>(saved.scale),
                           mask_of(saved, sequence));
      }
      copy_out(key_head.dk, head_of<T>(args.dk, sequence, kv_head));
      copy_out(key_head.dv, head_of<T>(args.dv, sequence, kv_head));
    });
  });
}

}  // namespace hyscale::kernels
