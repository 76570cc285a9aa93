#include "core/kernels/cached_attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/error.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {
namespace {

void check(const CachedAttentionArgs& a) {
  const int64_t sequences = a.q.extent(0), count = a.q.extent(1), heads = a.q.extent(2), kv_heads = a.k.extent(2);
  if (kv_heads == 0 || heads % kv_heads != 0)
    throw ShapeError("cached_attention: " + a.q.describe() + " does not share the key heads of " + a.k.describe());
  const int64_t slots = a.cached_k.extent(2);
  expect_shape("cached_attention k", a.k, {sequences, count, kv_heads, a.q.extent(3)});
  expect_shape("cached_attention v", a.v, {sequences, count, kv_heads, a.v.extent(3)});
  expect_shape("cached_attention out", a.out, {sequences, count, heads, a.v.extent(3)});
  expect_shape("cached_attention keys", a.cached_k, {sequences, kv_heads, slots, a.q.extent(3)});
  expect_shape("cached_attention values", a.cached_v, {sequences, kv_heads, slots, a.v.extent(3)});
  expect_shape("cached_attention lengths", a.lengths, {sequences});
}

template <class T>
T dot(const T* a, const T* b, int64_t count) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

template <class T>
void add_scaled(T* out, T factor, const T* x, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) out[i] += factor * x[i];
}

/// Calls visit(key, value) for every position that the token at `before + i` sees, in ascending order.
template <class T>
struct Visible {
  const View<const T, 4>&k, &v, &cached_k, &cached_v;
  CausalMask mask;
  int64_t sequence, head, before;

  template <class F>
  void for_each(int64_t i, F&& visit) const {
    const int64_t at = before + i, slots = cached_k.extent(2);
    const int64_t oldest = mask.window > 0 ? std::max<int64_t>(0, at - mask.window + 1) : 0;
    const int64_t sinks = std::min(mask.window > 0 ? mask.sinks : 0, oldest);
    const auto range = [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < std::min(end, before); ++p) {
        const int64_t slot = cache_slot(p, slots, mask.sinks);
        visit(&cached_k(sequence, head, slot, 0), &cached_v(sequence, head, slot, 0));
      }
      for (int64_t p = std::max(begin, before); p < end; ++p)
        visit(&k(sequence, p - before, head, 0), &v(sequence, p - before, head, 0));
    };
    range(0, sinks);
    range(oldest, at + 1);
  }
};

/// One new token's query heads that share a key head.
template <class T>
void attend(const CachedAttentionArgs& a, const Visible<T>& visible, int64_t token, std::vector<T>& scores) {
  const auto q = a.q.view<const T, 4>();
  const auto out = a.out.view<T, 4>();
  const int64_t group = q.extent(2) / a.k.extent(2), dim = q.extent(3), value_dim = out.extent(3);
  const int64_t first = visible.head * group, s = visible.sequence;
  const T scale = static_cast<T>(a.scale);
  scores.clear();
  visible.for_each(token, [&](const T* key, const T*) {
    for (int64_t g = 0; g < group; ++g) scores.push_back(scale * dot(&q(s, token, first + g, 0), key, dim));
  });
  const auto seen = static_cast<int64_t>(scores.size()) / group;
  for (int64_t g = 0; g < group; ++g) {
    T top = scores[static_cast<size_t>(g)], sum = 0;
    for (int64_t j = 1; j < seen; ++j) top = std::max(top, scores[static_cast<size_t>(j * group + g)]);
    for (int64_t j = 0; j < seen; ++j) {
      T& score = scores[static_cast<size_t>(j * group + g)];
      sum += score = std::exp(score - top);
    }
    for (int64_t j = 0; j < seen; ++j) scores[static_cast<size_t>(j * group + g)] /= sum;
    std::fill_n(&out(s, token, first + g, 0), value_dim, T(0));
  }
  const T* weight = scores.data();
  visible.for_each(token, [&](const T*, const T* value) {
    for (int64_t g = 0; g < group; ++g) add_scaled(&out(s, token, first + g, 0), *weight++, value, value_dim);
  });
}

template <class T>
void attend_all(const CachedAttentionArgs& a) {
  const auto k = a.k.view<const T, 4>(), v = a.v.view<const T, 4>(), cached_k = a.cached_k.view<const T, 4>(),
             cached_v = a.cached_v.view<const T, 4>();
  const auto lengths = a.lengths.view<const int32_t, 1>();
  const int64_t kv_heads = k.extent(2), count = k.extent(1);
  parallel_for(k.extent(0) * kv_heads * count, 1, [&](int64_t begin, int64_t end) {
    static thread_local std::vector<T> scores;  // as long as the longest sequence so far
    for (int64_t task = begin; task < end; ++task) {
      const int64_t sequence = task / (kv_heads * count);
      const Visible<T> visible{.k = k,
                               .v = v,
                               .cached_k = cached_k,
                               .cached_v = cached_v,
                               .mask = a.mask,
                               .sequence = sequence,
                               .head = task / count % kv_heads,
                               .before = lengths(sequence)};
      attend<T>(a, visible, task % count, scores);
    }
  });
}

}  // namespace

void cached_attention(const CachedAttentionArgs& args, const Exec& exec) {
  check(args);
  if (exec.device == Device::cuda) throw ConfigError({.what = "this version decodes on the CPU only"});
  with_real(args.q.dtype(), [&](auto real) { attend_all<decltype(real)>(args); });
}

void append_to_cache(const AppendToCacheArgs& args, const Exec& exec) {
  const int64_t sequences = args.rows.extent(0), count = args.rows.extent(1), heads = args.rows.extent(2);
  const int64_t slots = args.cache.extent(2), dim = args.rows.extent(3);
  expect_shape("append_to_cache", args.cache, {sequences, heads, slots, dim});
  if (exec.device == Device::cuda) throw ConfigError({.what = "this version decodes on the CPU only"});
  const auto lengths = args.lengths.view<const int32_t, 1>();
  with_real(args.rows.dtype(), [&](auto real) {
    using T = decltype(real);
    const auto rows = args.rows.view<const T, 4>();
    const auto cache = args.cache.view<T, 4>();
    parallel_for(sequences * heads, 1, [&](int64_t task, int64_t) {
      const int64_t s = task / heads, h = task % heads, before = lengths(s);
      for (int64_t i = 0; i < count; ++i)
        std::copy_n(&rows(s, i, h, 0), dim, &cache(s, h, cache_slot(before + i, slots, args.sinks), 0));
    });
  });
}

}  // namespace hyscale::kernels
