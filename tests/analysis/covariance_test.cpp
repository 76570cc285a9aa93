#include "analysis/covariance.h"

#include <gtest/gtest.h>

#include "analysis/law_fit.h"
#include "tests/analysis/synthetic.h"

namespace hyscale::analysis {
namespace {

FitOptions squares() { return {.loss = {.kind = FitLoss::Kind::l2}, .bootstrap = {.resamples = 0}}; }

TEST(Covariance, ClaimsTheSpreadThatStudiesReallyHave) {
  constexpr int kStudies = 60;
  std::mt19937_64 random(23);
  std::array<std::vector<double>, 7> values, errors;
  for (int study = 0; study < kStudies; ++study) {
    PointSet set = planted_points();
    add_noise(set, 2e-4, random);  // little, so that the first order is enough
    const FamilyFit fit = fit_family("x", set.points, squares());
    ASSERT_TRUE(fit.covariance.known);
    for (size_t i = 0; i < 7; ++i) {
      values[i].push_back(fit.law.numbers()[i]);
      errors[i].push_back(fit.covariance.standard_error[i]);
    }
  }
  for (const LawNumber i : {kE, kAlpha, kBeta, kSizeExponent, kTokenExponent}) {
    double mean = 0, variance = 0, claimed = 0;  // of one study the claim is rough: its average is what can be judged
    for (const double value : values[i]) mean += value / kStudies;
    for (const double value : values[i]) variance += (value - mean) * (value - mean) / (kStudies - 1);
    for (const double error : errors[i]) claimed += error * error / kStudies;
    EXPECT_NEAR(std::sqrt(claimed / variance), 1, 0.25) << kLawNames[i];
  }
}

TEST(Covariance, IsNotDeceivedByCopiesOfARun) {
  PointSet set = planted_points();
  std::mt19937_64 random(7);
  add_noise(set, 2e-3, random);
  const LawCovariance once = fit_family("x", set.points, squares()).covariance;
  const std::vector<Point> points = set.points;
  for (int copy = 0; copy < 3; ++copy) set.points.insert(set.points.end(), points.begin(), points.end());
  const LawCovariance copied = fit_family("x", set.points, squares()).covariance;
  for (size_t i = 0; i < 7; ++i) EXPECT_NEAR(copied.standard_error[i] / once.standard_error[i], 1, 1e-4);
}

TEST(Covariance, CorrelatesEachNumberWithItselfByOne) {
  PointSet set = planted_points();
  std::mt19937_64 random(7);
  add_noise(set, 2e-3, random);
  const LawCovariance found = fit_family("x", set.points, squares()).covariance;
  for (size_t i = 0; i < 5; ++i)
    for (size_t j = 0; j < 5; ++j) {
      EXPECT_NEAR(found.correlation[i][j], found.correlation[j][i], 1e-9);
      EXPECT_LE(std::abs(found.correlation[i][j]), i == j ? 1 + 1e-9 : 1);
    }
  EXPECT_NEAR(found.correlation[kAlpha][kAlpha], 1, 1e-9);
  EXPECT_GT(found.correlation[kA][kAlpha], 0.9);  // a larger exponent needs a larger factor
}

TEST(Covariance, IsUnknownForNoMoreClustersThanParameters) {
  PointSet set = planted_points();
  std::mt19937_64 random(7);
  add_noise(set, 2e-3, random);
  for (size_t i = 0; i < set.points.size(); ++i) set.points[i].cluster = std::to_string(i % 5);
  EXPECT_FALSE(fit_family("x", set.points, squares()).covariance.known);
}

}  // namespace
}  // namespace hyscale::analysis
