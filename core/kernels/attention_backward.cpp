#include "core/kernels/attention.h"
#include "core/kernels/attention_tiles.h"
#include "core/kernels/cpu_only.h"
#include "core/kernels/gemm.h"
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

template <class T>
static void clear(View<T, 2> v) {
  for (int64_t i = 0; i < v.extent(0); ++i) std::fill_n(&v(i, 0), v.extent(1), T(0));
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

template <class T>
static void backward_queries(const HeadViews<T>& h, int64_t query, int64_t rows, T scale, CausalMask mask) {
  alignas(64) T scores[kQueryTile * kKeyTile];
  alignas(64) T dp[kQueryTile * kKeyTile] = {};  // columns past the last key are never written: finite
  T along[kQueryTile];
  const auto q = read_only(part(h.q, 0, query, rows)), dout = read_only(part(h.dout, 0, query, rows));
  const auto out = part(h.out, 0, query, rows), dq = part(h.dq, 0, query, rows);
  for (int64_t r = 0; r < rows; ++r) {
    along[r] = 0;
    for (int64_t d = 0; d < out.extent(1); ++d) along[r] += out(r, d) * dout(r, d);
  }
  bool first = true;
  for_each_key_tile(query, rows, mask, [&](const ScoreTile& tile) {
    const auto k = part(h.k, 0, tile.key, tile.cols), v = part(h.v, 0, tile.key, tile.cols);
    const auto p = score_matrix(scores, tile), ds = score_matrix(dp, tile);
    multiply<T>(q, turned(read_only(k)), p);
    multiply<T>(dout, turned(read_only(v)), ds);
    mask_scores(scores, tile, mask);
    for (int64_t r = 0; r < rows; ++r)
      weigh_row(scores + r * kKeyTile, dp + r * kKeyTile, scale, h.lse[query + r], along[r]);
    multiply<T>(turned(read_only(p)), dout, part(h.dv, 0, tile.key, tile.cols), true);
    multiply<T>(turned(read_only(ds)), q, part(h.dk, 0, tile.key, tile.cols), true);
    multiply<T>(read_only(ds), read_only(k), dq, !first);
    first = false;
  });
}

void attention_backward(const AttentionBackwardArgs& args, const Exec& exec) {
  cpu_only("attention_backward", exec);
  const AttentionArgs& saved = args.saved;
  check_attention(saved);
  expect_shape("attention dq", args.dq, saved.q.shape());
  expect_shape("attention dk", args.dk, saved.k.shape());
  expect_shape("attention dv", args.dv, saved.v.shape());
  expect_shape("attention dout", args.dout, saved.out.shape());
  const int64_t length = saved.q.extent(1), kv_heads = saved.k.extent(2), group = saved.q.extent(2) / kv_heads;
  with_real(saved.q.dtype(), [&]<class T>(T) {
    parallel_for(saved.q.extent(0) * kv_heads, 1, [&](int64_t task, int64_t) {
      const int64_t sequence = task / kv_heads, kv_head = task % kv_heads;
      clear(head_of<T>(args.dk, sequence, kv_head));
      clear(head_of<T>(args.dv, sequence, kv_head));
      for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        const HeadViews<T> views = views_of<T>(args, sequence, head, kv_head);
        for (int64_t query = 0; query < length; query += kQueryTile)
          backward_queries(views, query, std::min(kQueryTile, length - query), static_cast<T>(saved.scale), saved.mask);
      }
    });
  });
}

}  // namespace hyscale::kernels
