#include "tests/support/gradient_check.h"

#include <cmath>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

namespace hyscale::tests {

static double sum_of_cubes(const Tensor& x) {
  double sum = 0;
  for (const double v : values_of(x)) sum += v * v * v;
  return sum;
}

TEST(GradientCheck, AcceptsTheTrueGradient) {
  const OwnedTensor x = random_tensor(DType::f64, {3, 5}, 1);
  OwnedTensor g(DType::f64, {3, 5});
  for (int i = 0; i < 15; ++i) g.tensor().as<double>()[i] = 3 * std::pow(x.tensor().as<double>()[i], 2);
  expect_gradient_matches("cubes", x, g, [&] { return sum_of_cubes(x); });
}

TEST(GradientCheck, FailsWhenOneEntryIsWrongOrNotANumber) {
  static const OwnedTensor x = random_tensor(DType::f64, {3, 5}, 1);
  static OwnedTensor g(DType::f64, {3, 5});
  for (int i = 0; i < 15; ++i) g.tensor().as<double>()[i] = 3 * std::pow(x.tensor().as<double>()[i], 2);
  g.tensor().as<double>()[7] += 1e-3;
  EXPECT_NONFATAL_FAILURE(expect_gradient_matches("cubes", x, g, [] { return sum_of_cubes(x); }), "entry 7");
  g.tensor().as<double>()[7] = std::nan("");
  EXPECT_NONFATAL_FAILURE(expect_gradient_matches("cubes", x, g, [] { return sum_of_cubes(x); }), "entry 7");
}

TEST(GradientCheck, LeavesTheInputAsItWas) {
  const OwnedTensor x = random_tensor(DType::f64, {4}, 2);
  const std::vector<double> before = values_of(x);
  const OwnedTensor g = filled_tensor(DType::f64, {4}, 1);
  expect_gradient_matches("sum", x, g, [&] { return dot(x, g); });
  EXPECT_EQ(values_of(x), before);
}

}  // namespace hyscale::tests
