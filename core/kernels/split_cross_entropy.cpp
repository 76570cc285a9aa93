#include "core/kernels/split_cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>

#include "core/kernels/gemm.h"
#include "core/kernels/split_contract.h"
#include "core/kernels/vector_math.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {
namespace {

constexpr int64_t kTokensPerTask = 32;

void check_contract(const SplitCrossEntropyArgs& a) {
  const int64_t tokens = a.x.extent(0), channels = a.x.extent(1), rows = a.weight.extent(0);
  expect_shape("split_cross_entropy weight", a.weight, {rows, channels});
  expect_shape("split_cross_entropy targets", a.targets, {tokens});
  if (!a.nll.empty()) expect_shape("split_cross_entropy nll", a.nll, {tokens});
  if (!a.dx.empty()) expect_shape("split_cross_entropy dx", a.dx, {tokens, channels});
  if (!a.dx.empty()) expect_shape("split_cross_entropy dweight", a.dweight, {rows, channels});
}

void check_targets(const SplitCrossEntropyArgs& a) {
  const auto targets = a.targets.view<const int32_t, 1>();
  for (int64_t t = 0; t < targets.extent(0); ++t)
    if (targets(t) >= a.vocabulary)
      throw ShapeError(fmt::format("target {} at row {} is outside a vocabulary of {}", targets(t), t, a.vocabulary));
}

/// A chunk of tokens: its logits on this rank and what all ranks know of them.
template <class T>
struct Chunk {
  View<T, 2> logit;               // [tokens, padded rows]
  View<T, 1> top;                 // [tokens]: the largest logit
  View<T, 2> sums;                // [2, tokens]: Σ exp(logit - top), the target's logit
  View<const int32_t, 1> target;  // [tokens]
  int64_t rows = 0, padded = 0, first = 0;

  int64_t tokens() const { return logit.extent(0); }
  /// Row of a token's target, or -1 where another rank has it or it does not count.
  int64_t own_target(int64_t t) const {
    const int64_t row = target(t) - first;
    return target(t) >= 0 && row >= 0 && row < rows ? row : -1;
  }
};

// Rows are padded to whole vectors with -inf, which vanishes in every sum.
template <class T>
void find_tops(const Chunk<T>& c) {
  parallel_for(c.tokens(), kTokensPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      std::fill(&c.logit(t, 0) + c.rows, &c.logit(t, 0) + c.padded, -std::numeric_limits<T>::infinity());
      c.top(t) = largest(&c.logit(t, 0), c.padded);
    }
  });
}

// Logits become exp(logit - top).
template <class T>
void add_up(const Chunk<T>& c) {
  parallel_for(c.tokens(), kTokensPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      T* const row = &c.logit(t, 0);
      const int64_t own = c.own_target(t);
      c.sums(1, t) = own >= 0 ? row[own] : T(0);
      Vec<T> sum{};
      for (int64_t v = 0; v < c.padded; v += kLanes<T>) {
        const Vec<T> e = exp(load(row + v) - c.top(t));
        store(row + v, e);
        sum += e;
      }
      c.sums(0, t) = lane_sum<T>(sum);
    }
  });
}

template <class T>
double nll_of(const Chunk<T>& c, int64_t t) {
  if (c.target(t) < 0) return 0;
  return static_cast<double>(c.top(t) + std::log(c.sums(0, t))) - static_cast<double>(c.sums(1, t));
}

// exp(logit - top) becomes scale × gradient.
template <class T>
void differentiate(const Chunk<T>& c, T scale) {
  parallel_for(c.tokens(), kTokensPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      T* const row = &c.logit(t, 0);
      const T factor = c.target(t) < 0 ? T(0) : scale / c.sums(0, t);
      for (int64_t v = 0; v < c.padded; v += kLanes<T>) store(row + v, load(row + v) * factor);
      if (const int64_t own = c.own_target(t); own >= 0) row[own] -= scale;
    }
  });
}

// The same on every rank: about 2^21 logits on each, 128 tokens at least.
int64_t chunk_of(int64_t tokens, int64_t vocabulary, int ranks) {
  const int64_t rows = (vocabulary + ranks - 1) / ranks;
  return std::min(tokens, std::max<int64_t>(128, (int64_t{1} << 21) / rows / 16 * 16));
}

}  // namespace

void split_cross_entropy(const SplitCrossEntropyArgs& args, TensorGroup& ranks, const Exec& exec) {
  check_contract(args);
  expect_cpu(exec);
  check_targets(args);
  const int64_t tokens = args.x.extent(0), rows = args.weight.extent(0), padded = (rows + 15) / 16 * 16;
  const int64_t chunk = chunk_of(tokens, args.vocabulary, ranks.size());
  const DType dtype = args.x.dtype();
  const Arena::Scope scratch(*exec.arena);
  const Tensor all_logits = exec.arena->matrix(dtype, chunk, padded);
  double* const nll = exec.arena->tensor(DType::f64, {tokens}).as<double>();
  for (int64_t begin = 0; begin < tokens; begin += chunk) {
    const int64_t count = std::min(chunk, tokens - begin);
    const Arena::Scope of_chunk(*exec.arena);
    const Tensor padded_logits = all_logits.slice(0, 0, count), logits = padded_logits.slice(1, 0, rows);
    const Tensor x = args.x.slice(0, begin, count);
    const Tensor top = exec.arena->tensor(dtype, {count}), sums = exec.arena->tensor(dtype, {2, count});
    gemm({.out = logits, .a = x, .b = args.weight, .transpose_b = true}, exec);
    with_real(dtype, [&]<class T>(T) {
      const Chunk<T> c{.logit = padded_logits.view<T, 2>(),
                       .top = top.view<T, 1>(),
                       .sums = sums.view<T, 2>(),
                       .target = args.targets.slice(0, begin, count).view<const int32_t, 1>(),
                       .rows = rows,
                       .padded = padded,
                       .first = args.first};
      find_tops(c);
      ranks.max(top);
      add_up(c);
      ranks.sum(sums);
      for (int64_t t = 0; t < count; ++t) nll[begin + t] = nll_of(c, t);
      if (!args.dx.empty()) differentiate(c, static_cast<T>(args.scale));
    });
    if (args.dx.empty()) continue;
    gemm({.out = args.dx.slice(0, begin, count), .a = logits, .b = args.weight}, exec);
    gemm({.out = args.dweight, .a = logits, .b = x, .transpose_a = true, .accumulate = true}, exec);
  }
  if (!args.loss.empty()) *args.loss.as<double>() += std::accumulate(nll, nll + tokens, 0.0);
  if (!args.nll.empty()) std::transform(nll, nll + tokens, args.nll.as<float>(), [](double v) { return float(v); });
}

}  // namespace hyscale::kernels
