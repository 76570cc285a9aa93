#include "core/kernels/rms_norm.h"

#include <cmath>
#include <gtest/gtest.h>

#include "tests/support/gradient_check.h"

namespace hyscale::kernels {

using tests::expect_gradient_matches;
using tests::random_tensor;
using tests::relative_difference;
using tests::values_of;

TEST(RmsNorm, NormsTheSumOfStreamAndDelta) {
  const int64_t tokens = 300, channels = 13;
  const OwnedTensor x = random_tensor(DType::f64, {tokens, channels}, 1),
                    delta = random_tensor(DType::f64, {tokens, channels}, 2);
  const OwnedTensor weight = random_tensor(DType::f64, {channels}, 3);
  const OwnedTensor out(DType::f64, {tokens, channels}), sum(DType::f64, {tokens, channels}),
      rstd(DType::f64, {tokens});
  rms_norm({.out = out, .rstd = rstd, .sum = sum, .x = x, .delta = delta, .weight = weight, .epsilon = 0.1}, {});
  const auto a = x.tensor().view<double, 2>(), b = delta.tensor().view<double, 2>(), y = out.tensor().view<double, 2>();
  for (int64_t t = 0; t < tokens; t += 37) {
    double squares = 0;
    for (int64_t c = 0; c < channels; ++c) squares += std::pow(a(t, c) + b(t, c), 2);
    for (int64_t c = 0; c < channels; ++c) {
      const double wanted = (a(t, c) + b(t, c)) / std::sqrt(squares / channels + 0.1) * weight.tensor().as<double>()[c];
      ASSERT_NEAR(y(t, c), wanted, 1e-13);
      ASSERT_EQ((sum.tensor().view<double, 2>()(t, c)), a(t, c) + b(t, c));
    }
  }
}

TEST(RmsNorm, BackwardMatchesCentralDifferences) {
  for (const int64_t channels : {1, 7, 33}) {
    const int64_t tokens = 131;  // more than one task
    const OwnedTensor x = random_tensor(DType::f64, {tokens, channels}, 1),
                      weight = random_tensor(DType::f64, {channels}, 3);
    const OwnedTensor dout = random_tensor(DType::f64, {tokens, channels}, 4);
    const OwnedTensor out(DType::f64, {tokens, channels}), rstd(DType::f64, {tokens});
    const OwnedTensor dx(DType::f64, {tokens, channels}), dweight(DType::f64, {channels});
    Arena arena;
    const auto loss = [&] {
      // an epsilon that keeps one channel smooth around 0
      rms_norm({.out = out, .rstd = rstd, .sum = {}, .x = x, .delta = {}, .weight = weight, .epsilon = 0.1}, {});
      return tests::dot(out, dout);
    };
    loss();
    rms_norm_backward({.dx = dx, .dweight = dweight, .dout = dout, .x = x, .rstd = rstd, .weight = weight},
                      {.arena = &arena});
    expect_gradient_matches("x", x, dx, loss);
    expect_gradient_matches("weight", weight, dweight, loss);
  }
}

TEST(RmsNorm, AddsToTheStreamGradientWhenAsked) {
  const OwnedTensor x = random_tensor(DType::f32, {5, 9}, 1), weight = random_tensor(DType::f32, {9}, 3);
  const OwnedTensor dout = random_tensor(DType::f32, {5, 9}, 4), rstd = random_tensor(DType::f32, {5}, 5, 1, 2);
  const OwnedTensor fresh(DType::f32, {5, 9}), added = tests::filled_tensor(DType::f32, {5, 9}, 10);
  const OwnedTensor dweight(DType::f32, {9});
  Arena arena;
  RmsNormBackwardArgs args{.dx = fresh, .dweight = dweight, .dout = dout, .x = x, .rstd = rstd, .weight = weight};
  rms_norm_backward(args, {.arena = &arena});
  args.dx = added;
  args.accumulate = true;
  rms_norm_backward(args, {.arena = &arena});
  const std::vector<double> a = values_of(fresh), b = values_of(added);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(b[i], a[i] + 10, 1e-5);
}

}  // namespace hyscale::kernels
