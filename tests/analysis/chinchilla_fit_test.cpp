#include "analysis/chinchilla_fit.h"

#include <gmock/gmock.h>

#include "tests/analysis/synthetic.h"

namespace hyscale::analysis {
namespace {

using testing::Contains;
using testing::HasSubstr;

FitOptions without_bootstrap() { return {.bootstrap = {.resamples = 0}}; }

double width(const Interval& interval) { return interval.high - interval.low; }

TEST(ChinchillaFit, RecoversPlantedParametersWithoutNoise) {
  for (const ChinchillaLaw& planted :
       {planted_law(), ChinchillaLaw{.e = 2.2, .a = 60, .b = 6000, .alpha = 0.22, .beta = 0.42}}) {
    const FamilyFit fit = fit_family("x", planted_points(planted).points, without_bootstrap());
    ASSERT_TRUE(fit.usable) << fit.reasons.front();
    EXPECT_NEAR(fit.law.e, planted.e, 1e-4);
    EXPECT_NEAR(fit.law.alpha, planted.alpha, 1e-4);
    EXPECT_NEAR(fit.law.beta, planted.beta, 1e-4);
    EXPECT_NEAR(fit.law.a / planted.a, 1, 1e-4);
    EXPECT_NEAR(fit.law.b / planted.b, 1, 1e-4);
    EXPECT_LT(fit.card.objective, 1e-8);
    EXPECT_GT(fit.card.starts_at_best, 50);
  }
}

TEST(ChinchillaFit, IgnoresOneGrossOutlier) {
  PointSet set = planted_points();
  set.points[9].loss *= 1.3;
  const FamilyFit fit = fit_family("x", set.points, without_bootstrap());
  EXPECT_NEAR(fit.law.alpha, planted_law().alpha, 2e-3);
  EXPECT_NEAR(fit.law.e, planted_law().e, 2e-2);
}

TEST(ChinchillaFit, AllocatesTheClosedFormOptimumWhenCostIsSixNd) {
  const FamilyFit fit = fit_family("x", planted_points().points, {.bootstrap = {.resamples = 0}, .budgets = {3e19}});
  const ChinchillaLaw law = planted_law();
  const double g = std::pow(law.alpha * law.a / (law.beta * law.b), 1 / (law.alpha + law.beta));
  ASSERT_EQ(fit.allocations.size(), 1u);
  EXPECT_NEAR(fit.allocations[0].n / (g * std::pow(3e19 / 6, law.size_exponent())), 1, 1e-3);
  EXPECT_NEAR(6 * fit.allocations[0].n * fit.allocations[0].d / 3e19, 1, 1e-9);
}

TEST(ChinchillaFit, SpendsABudgetByTheFamilysOwnCost) {
  PointSet set = planted_points();
  for (Point& point : set.points) point.c = (6 * point.n + 3e8) * point.d;  // an output head
  const FamilyFit fit = fit_family("x", set.points, {.bootstrap = {.resamples = 0}, .budgets = {1e19}});
  const Allocation& best = fit.allocations[0];
  EXPECT_NEAR((6 * best.n + 3e8) * best.d / 1e19, 1, 0.02);
  for (const double factor : {0.7, 1.4}) {
    const double n = best.n * factor;
    EXPECT_GT(planted_law().loss(n, 1e19 / (6 * n + 3e8)), planted_law().loss(best.n, 1e19 / (6 * best.n + 3e8)));
  }
}

TEST(ChinchillaFit, RefusesTooFewPointsOrSizes) {
  std::vector<Point> points = planted_points().points;
  points.resize(5);
  const FamilyFit few = fit_family("x", points, {});
  EXPECT_FALSE(few.usable);
  EXPECT_THAT(few.reasons, Contains(HasSubstr("5 points")));

  std::vector<Point> one_size = planted_points().points;
  for (Point& point : one_size) point.n = 1e8;
  EXPECT_THAT(fit_family("x", one_size, {}).reasons, Contains(HasSubstr("1 distinct model sizes")));
}

TEST(ChinchillaFit, CallsAFitWithoutAFloorUnusable) {
  const FamilyFit fit = fit_family("x", planted_points({.e = 1e-7, .a = 20, .b = 20, .alpha = 0.1, .beta = 0.1}).points,
                                   without_bootstrap());
  EXPECT_FALSE(fit.usable);
  EXPECT_THAT(fit.reasons, Contains(HasSubstr("ran to zero")));
}

TEST(ChinchillaFit, GivesTheSameIntervalsForTheSameSeed) {
  PointSet set = planted_points();
  std::mt19937_64 random(5);
  add_noise(set, 3e-3, random);
  const FitOptions options{.bootstrap = {.resamples = 60, .seed = 3}};
  const FamilyFit one = fit_family("x", set.points, options), two = fit_family("x", set.points, options);
  EXPECT_EQ(one.ci[kAlpha].low, two.ci[kAlpha].low);
  EXPECT_EQ(one.ci[kAlpha].high, two.ci[kAlpha].high);
  EXPECT_LT(one.ci[kAlpha].low, one.law.alpha);
  EXPECT_GT(one.ci[kAlpha].high, one.law.alpha);
}

TEST(ChinchillaFit, IntervalsUsuallyCoverTheTruth) {
  std::mt19937_64 random(11);
  int covered_alpha = 0, covered_size_exponent = 0;
  constexpr int kStudies = 30;
  for (int i = 0; i < kStudies; ++i) {
    PointSet set = planted_points();
    add_noise(set, 4e-3, random);
    const FamilyFit fit = fit_family("x", set.points, {.bootstrap = {.resamples = 100, .confidence = 0.9}});
    if (!fit.usable) continue;
    covered_alpha += fit.ci[kAlpha].low <= planted_law().alpha && planted_law().alpha <= fit.ci[kAlpha].high;
    const double exponent = planted_law().size_exponent();
    covered_size_exponent += fit.ci[kSizeExponent].low <= exponent && exponent <= fit.ci[kSizeExponent].high;
  }
  // nominal 27 of 30; fewer than 21 has a chance below 1 in 500
  EXPECT_GE(covered_alpha, 21);
  EXPECT_GE(covered_size_exponent, 21);
}

TEST(ChinchillaFit, ClustersMakeIntervalsWiderWhenNoiseIsShared) {
  // every trunk has five branches that share one deviation
  PointSet set{.source = "trunks"};
  std::mt19937_64 random(2);
  std::normal_distribution<double> noise(0, 5e-3);
  for (int trunk = 0; trunk < 24; ++trunk) {
    const double n = 1e7 * std::pow(2, trunk % 8), deviation = noise(random);
    for (const double tokens_per_parameter : {4.0, 8.0, 16.0, 32.0, 64.0}) {
      const double d = tokens_per_parameter * 1e8 * std::sqrt(n / 1e8);
      set.points.push_back({.family = "x",
                            .n = n,
                            .d = d,
                            .c = 6 * n * d,
                            .loss = planted_law().loss(n, d) * std::exp(deviation),
                            .run = std::to_string(set.points.size()),
                            .cluster = std::to_string(trunk)});
    }
  }
  const FitOptions options{.bootstrap = {.resamples = 300}};
  const FamilyFit clustered = fit_family("x", set.points, options);
  for (Point& point : set.points) point.cluster = point.run;
  const FamilyFit independent = fit_family("x", set.points, options);
  EXPECT_EQ(clustered.clusters, 24u);
  EXPECT_EQ(independent.clusters, 120u);
  EXPECT_GT(width(clustered.ci[kE]), 1.1 * width(independent.ci[kE]));
  EXPECT_GT(width(clustered.ci[kAlpha]), 1.3 * width(independent.ci[kAlpha]));
}

}  // namespace
}  // namespace hyscale::analysis
