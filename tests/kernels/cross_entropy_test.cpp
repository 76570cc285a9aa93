#include "core/kernels/cross_entropy.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/gradient_check.h"

namespace hyscale::kernels {

using tests::copy_values;
using tests::expect_gradient_matches;
using tests::random_tensor;
using tests::relative_difference;

static OwnedTensor targets_for(int64_t tokens, int64_t vocabulary) {
  OwnedTensor targets(DType::i32, {tokens});
  for (int64_t t = 0; t < tokens; ++t)
    targets.tensor().as<int32_t>()[t] = t % 5 == 3 ? -1 : static_cast<int32_t>(t * 7 % vocabulary);
  return targets;
}

static double naive_nll(const Tensor& x, const Tensor& weight, const Tensor& targets) {
  const auto rows = x.view<double, 2>(), table = weight.view<double, 2>();
  double total = 0;
  for (int64_t t = 0; t < rows.extent(0); ++t) {
    const int32_t target = targets.as<int32_t>()[t];
    if (target < 0) continue;
    double sum = 0, chosen = 0;
    for (int64_t v = 0; v < table.extent(0); ++v) {
      double logit = 0;
      for (int64_t c = 0; c < rows.extent(1); ++c) logit += rows(t, c) * table(v, c);
      sum += std::exp(logit);
      if (v == target) chosen = logit;
    }
    total += std::log(sum) - chosen;
  }
  return total;
}

/// Σ nll.
static double loss_of(CrossEntropyArgs args) {
  const OwnedTensor loss(DType::f64, {1});
  Arena arena;
  args.loss = loss;
  cross_entropy(args, {.arena = &arena});
  return *loss.tensor().as<double>();
}

TEST(CrossEntropy, MatchesTheDefinitionOverSeveralChunks) {
  for (const int64_t vocabulary : {1, 17, 9001}) {  // the last: 16 tokens a chunk
    const OwnedTensor x = random_tensor(DType::f64, {37, 5}, 1), weight = random_tensor(DType::f64, {vocabulary, 5}, 2);
    const OwnedTensor targets = targets_for(37, vocabulary), nll(DType::f32, {37});
    const double loss =
        loss_of({.x = x, .weight = weight, .targets = targets, .loss = {}, .nll = nll, .dx = {}, .dweight = {}});
    EXPECT_NEAR(loss, naive_nll(x, weight, targets), 1e-9);
    const OwnedTensor ones = tests::filled_tensor(DType::f32, {37}, 1);
    EXPECT_NEAR(tests::dot(nll, ones), loss, 1e-4);
    EXPECT_EQ(nll.tensor().as<float>()[3], 0.0f);
  }
}

TEST(CrossEntropy, BackwardMatchesCentralDifferences) {
  const OwnedTensor x = random_tensor(DType::f64, {13, 6}, 1), weight = random_tensor(DType::f64, {19, 6}, 2);
  const OwnedTensor targets = targets_for(13, 19), dx(DType::f64, {13, 6}), dweight(DType::f64, {19, 6});
  loss_of({.x = x,
           .weight = weight,
           .targets = targets,
           .loss = {},
           .nll = {},
           .dx = dx,
           .dweight = dweight,
           .scale = 0.3});
  const auto loss = [&] {
    return 0.3 *
           loss_of({.x = x, .weight = weight, .targets = targets, .loss = {}, .nll = {}, .dx = {}, .dweight = {}});
  };
  expect_gradient_matches("x", x, dx, loss);
  expect_gradient_matches("weight", weight, dweight, loss);
}

TEST(CrossEntropy, SinglePrecisionAgreesWithDouble) {
  const OwnedTensor x = random_tensor(DType::f32, {70, 24}, 1, -3, 3), weight = random_tensor(DType::f32, {258, 24}, 2);
  const OwnedTensor x2(DType::f64, {70, 24}), weight2(DType::f64, {258, 24}), targets = targets_for(70, 258);
  copy_values(x, x2);
  copy_values(weight, weight2);
  const OwnedTensor dx(DType::f32, {70, 24}), dx2(DType::f64, {70, 24}), dw(DType::f32, {258, 24}),
      dw2(DType::f64, {258, 24});
  const double one =
      loss_of({.x = x, .weight = weight, .targets = targets, .loss = {}, .nll = {}, .dx = dx, .dweight = dw});
  const double two =
      loss_of({.x = x2, .weight = weight2, .targets = targets, .loss = {}, .nll = {}, .dx = dx2, .dweight = dw2});
  EXPECT_NEAR(one, two, 1e-6 * two);
  EXPECT_LT(relative_difference(dx, dx2), 3e-6);
  EXPECT_LT(relative_difference(dw, dw2), 3e-6);
}

TEST(CrossEntropy, RefusesATargetOutsideTheVocabulary) {
  const OwnedTensor x(DType::f32, {2, 3}), weight(DType::f32, {4, 3}), targets(DType::i32, {2});
  targets.tensor().as<int32_t>()[1] = 4;
  EXPECT_THAT(
      [&] { loss_of({.x = x, .weight = weight, .targets = targets, .loss = {}, .nll = {}, .dx = {}, .dweight = {}}); },
      ::testing::ThrowsMessage<ShapeError>(::testing::HasSubstr("target 4 at row 1")));
}

}  // namespace hyscale::kernels
