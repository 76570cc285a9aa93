#include "core/kernels/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>

#include "core/base/error.h"
#include "core/kernels/cuda/twins.h"
#include "core/kernels/gemm.h"
#include "core/kernels/vector_math.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {

static constexpr int64_t kTokensPerTask = 32;

static void check_contract(const CrossEntropyArgs& a) {
  const int64_t tokens = a.x.extent(0), channels = a.x.extent(1), vocabulary = a.weight.extent(0);
  expect_shape("cross_entropy weight", a.weight, {vocabulary, channels});
  expect_shape("cross_entropy targets", a.targets, {tokens});
  if (!a.nll.empty()) expect_shape("cross_entropy nll", a.nll, {tokens});
  if (!a.dx.empty()) expect_shape("cross_entropy dx", a.dx, {tokens, channels});
  if (!a.dx.empty()) expect_shape("cross_entropy dweight", a.dweight, {vocabulary, channels});
}

static void check_targets(const CrossEntropyArgs& a) {
  const int64_t tokens = a.x.extent(0), vocabulary = a.weight.extent(0);
  const auto targets = a.targets.view<const int32_t, 1>();
  for (int64_t t = 0; t < tokens; ++t)
    if (targets(t) >= vocabulary)
      throw ShapeError(fmt::format("target {} at row {} is outside a vocabulary of {}", targets(t), t, vocabulary));
}

// Rows are padded to whole vectors with -inf, which vanishes in every sum.
template <class T>
static T log_sum_exp(T* row, int64_t count, int64_t padded, T& inverse_sum) {
  std::fill(row + count, row + padded, -std::numeric_limits<T>::infinity());
  const T top = largest(row, padded);
  Vec<T> sum{};
  for (int64_t v = 0; v < padded; v += kLanes<T>) {
    const Vec<T> e = exp(load(row + v) - top);
    store(row + v, e);
    sum += e;
  }
  const T total = lane_sum<T>(sum);
  inverse_sum = 1 / total;
  return top + std::log(total);
}

// One row: logits become scale × gradient; returns its nll.
template <class T>
static double finish_row(T* row, int64_t count, int64_t padded, int32_t target, T scale, bool backward) {
  if (target < 0) {
    if (backward) std::fill_n(row, padded, T(0));
    return 0;
  }
  const double logit = static_cast<double>(row[target]);
  T inverse_sum = 0;
  const double nll = static_cast<double>(log_sum_exp(row, count, padded, inverse_sum)) - logit;
  if (!backward) return nll;
  for (int64_t v = 0; v < padded; v += kLanes<T>) store(row + v, load(row + v) * (inverse_sum * scale));
  row[target] -= scale;
  return nll;
}

// Tokens whose logits are held at once: 8 MB of them stay in L3, and at least 128 tokens keep the product that
// sums the head's gradient from being all reading and writing of that gradient.
static int64_t chunk_of(int64_t tokens, int64_t vocabulary) {
  return std::min(tokens, std::max<int64_t>(128, (int64_t{1} << 21) / vocabulary / 16 * 16));
}

void cross_entropy(const CrossEntropyArgs& args, const Exec& exec) {
  check_contract(args);
  if (exec.device == Device::cuda) return cuda::cross_entropy(args, exec);
  check_targets(args);
  const int64_t tokens = args.x.extent(0), vocabulary = args.weight.extent(0), padded = round_up(vocabulary, 16);
  const int64_t chunk = chunk_of(tokens, vocabulary);
  const bool backward = !args.dx.empty();
  const Arena::Scope scratch(*exec.arena);
  const Tensor all_logits = exec.arena->matrix(args.x.dtype(), chunk, padded);
  const Tensor all_nll = exec.arena->tensor(DType::f64, {tokens});
  double* nll = all_nll.as<double>();
  const auto targets = args.targets.view<const int32_t, 1>();
  for (int64_t begin = 0; begin < tokens; begin += chunk) {
    const int64_t count = std::min(chunk, tokens - begin);
    const Tensor rows = all_logits.slice(0, 0, count), logits = rows.slice(1, 0, vocabulary);
    const Tensor x = args.x.slice(0, begin, count);
    gemm({.out = logits, .a = x, .b = args.weight, .transpose_b = true}, exec);
    with_real(args.x.dtype(), [&]<class T>(T) {
      const auto logit = rows.view<T, 2>();
      parallel_for(count, kTokensPerTask, [&](int64_t from, int64_t to) {
        for (int64_t t = from; t < to; ++t)
          nll[begin + t] =
              finish_row<T>(&logit(t, 0), vocabulary, padded, targets(begin + t), static_cast<T>(args.scale), backward);
      });
    });
    if (!backward) continue;
    gemm({.out = args.dx.slice(0, begin, count), .a = logits, .b = args.weight}, exec);
    gemm({.out = args.dweight, .a = logits, .b = x, .transpose_a = true, .accumulate = true}, exec);
  }
  if (!args.loss.empty()) *args.loss.as<double>() += std::accumulate(nll, nll + tokens, 0.0);
  if (!args.nll.empty()) std::transform(nll, nll + tokens, args.nll.as<float>(), [](double v) { return float(v); });
}

}  // namespace hyscale::kernels
