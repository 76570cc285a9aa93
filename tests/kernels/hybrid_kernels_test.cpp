// What joins the branches of a hybrid layer: scales, weights per token, shared value heads.
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/kernels/branch_weights.h"
#include "core/kernels/repeat_heads.h"
#include "core/kernels/scale_rows.h"
#include "tests/support/gradient_check.h"
#include "tests/support/threads.h"

namespace hyscale::kernels {

using tests::copy_values;
using tests::expect_gradient_matches;
using tests::filled_tensor;
using tests::random_tensor;
using tests::values_of;

// Several tasks of tokens with a short last one; rows are windows on wider rows.
static constexpr int64_t kTokens = 131, kChannels = 13;

static Tensor windowed(const OwnedTensor& wide) { return wide.tensor().slice(1, 3, kChannels); }

static double factor_at(const Tensor& factor, int64_t t, int64_t c) {
  if (factor.empty()) return 1;
  return factor.view<double, 2>()(factor.extent(0) == 1 ? 0 : t, factor.extent(1) == 1 ? 0 : c);
}

class ScaleRows : public ::testing::TestWithParam<Shape> {
 protected:
  OwnedTensor wide_x_ = random_tensor(DType::f64, {kTokens, kChannels + 5}, 1),
              wide_out_ = random_tensor(DType::f64, {kTokens, kChannels + 5}, 2),
              dout_ = random_tensor(DType::f64, {kTokens, kChannels}, 3),
              factor_ = GetParam().size() == 0 ? OwnedTensor() : random_tensor(DType::f64, GetParam(), 4);
  Tensor x_ = windowed(wide_x_), out_ = windowed(wide_out_);
};

TEST_P(ScaleRows, IsTheProductAndLeavesItsSurroundingsAlone) {
  const OwnedTensor before(DType::f64, {kTokens, kChannels + 5});
  copy_values(wide_out_, before);
  for (const bool accumulate : {false, true}) {
    copy_values(before, wide_out_);
    scale_rows({.out = out_, .x = x_, .factor = factor_, .sign = -1, .accumulate = accumulate}, {});
    for (int64_t t = 0; t < kTokens; ++t)
      for (int64_t c = -3; c < kChannels + 2; ++c) {
        const double was = before.tensor().view<double, 2>()(t, c + 3);
        const bool inside = c >= 0 && c < kChannels;
        const double product = inside ? -factor_at(factor_, t, c) * x_.view<double, 2>()(t, c) : 0;
        EXPECT_NEAR((wide_out_.tensor().view<double, 2>()(t, c + 3)), inside && !accumulate ? product : was + product,
                    1e-15);
      }
  }
}

TEST_P(ScaleRows, BackwardMatchesCentralDifferences) {
  Arena arena;
  const Exec exec{.device = Device::cpu, .arena = &arena};
  const auto loss = [&] {
    scale_rows({.out = out_, .x = x_, .factor = factor_, .sign = -1}, exec);
    return tests::dot(out_, dout_);
  };
  const OwnedTensor dx(DType::f64, {kTokens, kChannels});
  const OwnedTensor dfactor = GetParam().size() == 0 ? OwnedTensor() : filled_tensor(DType::f64, GetParam(), 0.25);
  scale_rows_backward({.dx = dx, .dfactor = dfactor, .dout = dout_, .x = x_, .factor = factor_, .sign = -1}, exec);
  expect_gradient_matches("x", x_, dx, loss);
  if (factor_.tensor().empty()) return;
  for (int64_t i = 0; i < dfactor.tensor().numel(); ++i) dfactor.tensor().as<double>()[i] -= 0.25;  // it was added to
  expect_gradient_matches("factor", factor_, dfactor, loss);
}

TEST_P(ScaleRows, BackwardWorksInPlaceAndOnAnyNumberOfThreads) {
  std::vector<std::vector<double>> gradients;
  for (const int count : {1, 3}) {
    const tests::ThreadCount threads(count);
    Arena arena;
    const OwnedTensor d(DType::f64, {kTokens, kChannels});
    copy_values(dout_, d);
    const OwnedTensor dfactor = GetParam().size() == 0 ? OwnedTensor() : filled_tensor(DType::f64, GetParam(), 0);
    scale_rows_backward({.dx = d, .dfactor = dfactor, .dout = d, .x = x_, .factor = factor_},
                        {.device = Device::cpu, .arena = &arena});
    gradients.push_back(values_of(d));
    const std::vector<double> more = dfactor.tensor().empty() ? std::vector<double>{} : values_of(dfactor);
    gradients.back().insert(gradients.back().end(), more.begin(), more.end());
  }
  EXPECT_EQ(gradients[0], gradients[1]);
  EXPECT_DOUBLE_EQ(gradients[0][5], factor_at(factor_, 0, 5) * dout_.tensor().as<double>()[5]);
}

static std::string name_of(const ::testing::TestParamInfo<Shape>& info) {
  return std::vector<std::string>{"NoFactor", "PerChannel", "PerToken", "OneForAll"}[info.index];
}
INSTANTIATE_TEST_SUITE_P(Kernels, ScaleRows,
                         ::testing::Values(Shape{}, Shape{1, kChannels}, Shape{kTokens, 1}, Shape{1, 1}), name_of);

TEST(ScaleRows, RefusesAFactorThatStandsForNothing) {
  const OwnedTensor x = random_tensor(DType::f32, {4, 6}, 1), factor = random_tensor(DType::f32, {2, 6}, 1);
  EXPECT_THAT([&] { scale_rows({.out = x, .x = x, .factor = factor}, {}); },
              ::testing::ThrowsMessage<ShapeError>(::testing::HasSubstr("scale_rows factor")));
}

TEST(BranchWeights, AreSigmoidsAndOneLogitSharesOutOne) {
  for (const int64_t columns : {1, 2}) {
    const OwnedTensor logits = random_tensor(DType::f64, {kTokens, columns}, 5, -4, 4),
                      dweights = random_tensor(DType::f64, {kTokens, 2}, 6), weights(DType::f64, {kTokens, 2}),
                      dlogits(DType::f64, {kTokens, columns});
    const auto loss = [&] {
      branch_weights({.weights = weights, .logits = logits}, {});
      return tests::dot(weights, dweights);
    };
    loss();
    for (int64_t t = 0; t < kTokens; ++t) {
      const auto l = logits.tensor().view<double, 2>(), w = weights.tensor().view<double, 2>();
      EXPECT_NEAR(w(t, 0), 1 / (1 + std::exp(-l(t, 0))), 1e-15);
      EXPECT_NEAR(w(t, 1), columns == 1 ? 1 - w(t, 0) : 1 / (1 + std::exp(-l(t, 1))), 1e-15);
    }
    branch_weights_backward({.dlogits = dlogits, .dweights = dweights, .weights = weights}, {});
    expect_gradient_matches("logits", logits, dlogits, loss);
  }
}

TEST(DiffLambda, IsItsFormulaAndHasItsGradient) {
  const OwnedTensor vectors = random_tensor(DType::f64, {4, 7}, 1), lambda(DType::f64, {1, 1}),
                    dvectors(DType::f64, {4, 7}), dlambda = filled_tensor(DType::f64, {1, 1}, 0.7);
  const auto loss = [&] {
    diff_lambda({.lambda = lambda, .vectors = vectors, .initial = 0.8}, {});
    return 0.7 * lambda.tensor().as<double>()[0];
  };
  const auto v = vectors.tensor().view<double, 2>();
  double first = 0, second = 0;
  for (int64_t i = 0; i < 7; ++i) first += v(0, i) * v(1, i), second += v(2, i) * v(3, i);
  EXPECT_NEAR(loss() / 0.7, std::exp(first) - std::exp(second) + 0.8, 1e-14);
  diff_lambda_backward({.dvectors = dvectors, .dlambda = dlambda, .vectors = vectors}, {});
  expect_gradient_matches("vectors", vectors, dvectors, loss);
}

TEST(RepeatHeads, CopiesEachHeadForItsReadersAndSumsTheirGradients) {
  const int64_t kv_heads = 2, repeats = 3, dim = 5;
  const OwnedTensor x = random_tensor(DType::f64, {kTokens, kv_heads * dim}, 1),
                    dout = random_tensor(DType::f64, {kTokens, kv_heads * repeats * dim}, 2),
                    out(DType::f64, {kTokens, kv_heads * repeats * dim}), dx(DType::f64, {kTokens, kv_heads * dim});
  const auto loss = [&] {
    repeat_heads({.out = out, .x = x, .kv_heads = kv_heads}, {});
    return tests::dot(out, dout);
  };
  loss();
  for (int64_t t = 0; t < kTokens; ++t)
    for (int64_t i = 0; i < kv_heads * repeats * dim; ++i)
      EXPECT_EQ((out.tensor().view<double, 2>()(t, i)),
                (x.tensor().view<double, 2>()(t, i / dim / repeats * dim + i % dim)));
  sum_heads({.dx = dx, .dout = dout, .kv_heads = kv_heads}, {});
  expect_gradient_matches("x", x, dx, loss);
  EXPECT_THROW(repeat_heads({.out = out, .x = x, .kv_heads = 3}, {}), ShapeError);
}

}  // namespace hyscale::kernels
