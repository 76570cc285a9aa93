#include "analysis/law_fit.h"

#include <gmock/gmock.h>

#include "analysis/holdout.h"
#include "analysis/joint_fit.h"
#include "core/base/error.h"
#include "tests/analysis/synthetic.h"

namespace hyscale::analysis {
namespace {

using testing::Contains;
using testing::HasSubstr;

FitOptions without_bootstrap() { return {.bootstrap = {.resamples = 0}}; }

double width(const Interval& interval) { return interval.high - interval.low; }

TEST(LawFit, RecoversPlantedParametersWithoutNoiseToAMillionth) {
  for (const ScalingLaw& planted :
       {planted_law(), ScalingLaw{.e = 2.2, .a = 60, .b = 6000, .alpha = 0.22, .beta = 0.42},
        ScalingLaw{.e = 1.69, .a = 406.4, .b = 410.7, .alpha = 0.34, .beta = 0.28}}) {
    for (const FitLoss loss : {FitLoss{}, FitLoss{.kind = FitLoss::Kind::l2}}) {
      const FamilyFit fit =
          fit_family("x", planted_points(planted).points, {.loss = loss, .bootstrap = {.resamples = 0}});
      ASSERT_TRUE(fit.usable) << fit.reasons.front();
      EXPECT_NEAR(fit.law.e, planted.e, 1e-6);
      EXPECT_NEAR(fit.law.alpha, planted.alpha, 1e-6);
      EXPECT_NEAR(fit.law.beta, planted.beta, 1e-6);
      EXPECT_NEAR(fit.law.a / planted.a, 1, 1e-5);
      EXPECT_NEAR(fit.law.b / planted.b, 1, 1e-5);
      EXPECT_LT(fit.card.objective, 1e-15);
      EXPECT_GT(fit.card.starts_at_best, 50);
    }
  }
}

PointSet with_losses(ScalingLaw law, const std::string& family = "planted") {
  PointSet set = planted_points(law, family);
  for (size_t i = 0; i < set.points.size(); ++i) {
    set.points[i].covariates[0] = static_cast<double>(i % 4);
    set.points[i].loss = law.loss(set.points[i]);
  }
  return set;
}

TEST(LawFit, RecoversEveryFurtherForm) {
  struct Case {
    Form form;
    ScalingLaw law;
  };
  ScalingLaw with_depth = planted_law();
  with_depth.kappa[0] = 0.05;
  const std::vector<Case> cases = {
      {{.kind = Form::Kind::fixed_e, .fixed_floor = 1.8}, planted_law()},
      {{.kind = Form::Kind::shared_exponent}, {.e = 1.8, .a = 400, .b = 900, .alpha = 0.32, .beta = 0.32}},
      {{.kind = Form::Kind::interaction}, {.e = 1.8, .a = 4000, .b = 4200, .alpha = 0.44, .beta = 0.39, .gamma = 0.8}},
      {{.kind = Form::Kind::kaplan}, {.e = 0, .a = 2e12, .b = 2e13, .alpha = 0.8, .beta = 1, .gamma = 0.095}},
      {{.kind = Form::Kind::overtraining}, {.e = 1.8, .a = 400, .b = 420, .alpha = 0.34, .beta = 0.25, .delta = 0.04}},
      {{.kind = Form::Kind::covariates, .covariates = {"depth"}}, with_depth}};
  for (const auto& [form, law] : cases) {
    const FamilyFit fit = fit_family("x", with_losses(law).points, {.form = form, .bootstrap = {.resamples = 0}});
    ASSERT_TRUE(fit.fitted) << name_of(form.kind);
    EXPECT_NEAR(fit.law.alpha, law.alpha, 1e-4) << name_of(form.kind);
    EXPECT_NEAR(fit.law.beta, law.beta, 1e-4) << name_of(form.kind);
    EXPECT_NEAR(fit.law.gamma, law.gamma, 1e-4) << name_of(form.kind);
    EXPECT_NEAR(fit.law.delta, law.delta, 1e-4) << name_of(form.kind);
    EXPECT_NEAR(fit.law.kappa[0], law.kappa[0], 1e-5) << name_of(form.kind);
    EXPECT_LT(fit.card.residual_rms, 1e-7) << name_of(form.kind);
  }
}

TEST(LawFit, PrefersByAicTheFormThatMadeTheLosses) {
  std::mt19937_64 random(4);
  PointSet plain = planted_points(), shared = with_losses({.e = 1.8, .a = 400, .b = 900, .alpha = 0.32, .beta = 0.32});
  add_noise(plain, 1e-3, random);
  add_noise(shared, 1e-3, random);
  const auto aic = [](const PointSet& set, Form::Kind kind) {
    return fit_family("x", set.points, {.form = {.kind = kind}, .bootstrap = {.resamples = 0}}).card.likelihood.aic();
  };
  EXPECT_LT(aic(plain, Form::Kind::chinchilla) + 4, aic(plain, Form::Kind::shared_exponent));
  EXPECT_LT(aic(shared, Form::Kind::shared_exponent), aic(shared, Form::Kind::chinchilla) + 2.5);
}

TEST(LawFit, ThePublishedGridOfStartsReachesTheSameOptimum) {
  std::mt19937_64 random(5);
  PointSet set = planted_points();
  add_noise(set, 5e-3, random);
  const FamilyFit few = fit_family("x", set.points, without_bootstrap());
  const FamilyFit many = fit_family("x", set.points, {.starts = StartGrid::published, .bootstrap = {.resamples = 0}});
  EXPECT_EQ(many.card.starts, 4500 + few.card.starts);
  EXPECT_NEAR(many.card.objective / few.card.objective, 1, 1e-9);
  EXPECT_LT(few.card.gradient_norm, 1e-9);
}

TEST(LawFit, ProfilesTheFloor) {
  std::mt19937_64 random(6);
  PointSet set = planted_points();
  add_noise(set, 1e-3, random);
  const FloorProfile floor = fit_family("x", set.points, without_bootstrap()).floor;
  EXPECT_LT(floor.ci95.low, planted_law().e);
  EXPECT_GT(floor.ci95.high, planted_law().e);
  EXPECT_NEAR(floor.curve.front().second, 3.84, 0.02);
  EXPECT_NEAR(floor.curve.back().second, 3.84, 0.02);
}

PointSet two_families(double second_floor, double second_alpha, double noise) {
  PointSet set = planted_points(planted_law(), "one");
  ScalingLaw other = planted_law();
  other.e = second_floor, other.alpha = second_alpha, other.a *= std::pow(1e8, second_alpha - planted_law().alpha);
  const PointSet second = planted_points(other, "two");
  set.points.insert(set.points.end(), second.points.begin(), second.points.end());
  std::mt19937_64 random(8);
  add_noise(set, noise, random);
  return set;
}

TEST(JointFit, RecoversWhatFamiliesShareAndWhatTheyDoNot) {
  const JointFit fit = fit_jointly(two_families(1.8, 0.40, 0), {.joint = Joint::floor, .bootstrap = {.resamples = 0}});
  ASSERT_EQ(fit.families.size(), 2u);
  EXPECT_NEAR(fit.families[0].law.e, 1.8, 1e-6);
  EXPECT_EQ(fit.families[0].law.e, fit.families[1].law.e);
  EXPECT_NEAR(fit.families[0].law.alpha, 0.34, 1e-6);
  EXPECT_NEAR(fit.families[1].law.alpha, 0.40, 1e-6);
}

TEST(JointFit, TheLikelihoodRatioTellsSharedNumbersFromDifferentOnes) {
  const auto p_of = [](const PointSet& set, Joint joint) {
    const JointFit fit = fit_jointly(set, {.joint = joint, .bootstrap = {.resamples = 0}});
    return likelihood_ratio(fit.card().likelihood, fit.separate).p;
  };
  EXPECT_GT(p_of(two_families(1.8, 0.34, 1e-3), Joint::all), 0.01);
  EXPECT_LT(p_of(two_families(1.9, 0.34, 1e-3), Joint::floor), 1e-4);
  EXPECT_LT(p_of(two_families(1.8, 0.40, 1e-3), Joint::exponents), 1e-4);
  EXPECT_THROW(fit_jointly(planted_points(), {.joint = Joint::all}), ConfigError);
}

TEST(Holdout, ForetellsTheLargestBudgetOfAPlantedLaw) {
  PointSet set = planted_points();
  const PointSet held = hold_out(set, "c > 5e19", {});
  EXPECT_EQ(held.points.size(), 7u);
  EXPECT_EQ(set.points.size(), 21u);
  const Foretold foretold = foretell(fit_family("planted", set.points, without_bootstrap()), set, held);
  EXPECT_LT(foretold.rms, 1e-7);
  EXPECT_NEAR(foretold.decades, 1, 1e-9);
  EXPECT_THROW(hold_out(set, "c > 5e29", {}), ConfigError);
  EXPECT_THROW(hold_out(set, "c > 5", {}), ConfigError);
}

TEST(LawFit, IgnoresOneGrossOutlier) {
  PointSet set = planted_points();
  set.points[9].loss *= 1.3;
  const FamilyFit fit = fit_family("x", set.points, without_bootstrap());
  EXPECT_NEAR(fit.law.alpha, planted_law().alpha, 2e-3);
  EXPECT_NEAR(fit.law.e, planted_law().e, 2e-2);
}

TEST(LawFit, AllocatesTheClosedFormOptimumWhenCostIsSixNd) {
  const FamilyFit fit = fit_family("x", planted_points().points, {.bootstrap = {.resamples = 0}, .budgets = {3e19}});
  const ScalingLaw law = planted_law();
  const double g = std::pow(law.alpha * law.a / (law.beta * law.b), 1 / (law.alpha + law.beta));
  ASSERT_EQ(fit.allocations.size(), 1u);
  EXPECT_NEAR(fit.allocations[0].n / (g * std::pow(3e19 / 6, law.size_exponent())), 1, 1e-3);
  EXPECT_NEAR(6 * fit.allocations[0].n * fit.allocations[0].d / 3e19, 1, 1e-9);
}

TEST(LawFit, SpendsABudgetByTheFamilysOwnCost) {
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

TEST(LawFit, RefusesTooFewPointsOrSizes) {
  std::vector<Point> points = planted_points().points;
  points.resize(5);
  const FamilyFit few = fit_family("x", points, {});
  EXPECT_FALSE(few.usable);
  EXPECT_THAT(few.reasons, Contains(HasSubstr("5 points")));

  std::vector<Point> one_size = planted_points().points;
  for (Point& point : one_size) point.n = 1e8;
  EXPECT_THAT(fit_family("x", one_size, {}).reasons, Contains(HasSubstr("1 distinct model sizes")));
}

TEST(LawFit, CallsAFitWithoutAFloorUnusable) {
  const FamilyFit fit = fit_family("x", planted_points({.e = 1e-7, .a = 20, .b = 20, .alpha = 0.1, .beta = 0.1}).points,
                                   without_bootstrap());
  EXPECT_FALSE(fit.usable);
  EXPECT_THAT(fit.reasons, Contains(HasSubstr("ran to zero")));
}

TEST(LawFit, GivesTheSameIntervalsForTheSameSeed) {
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

TEST(LawFit, IntervalsUsuallyCoverTheTruth) {
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

/// Every trunk has five branches that share one deviation.
static PointSet trunks_with_shared_noise(std::mt19937_64& random) {
  PointSet set{.source = "trunks"};
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
  return set;
}

TEST(LawFit, ClustersMakeIntervalsWiderWhenNoiseIsShared) {
  constexpr int kDraws = 6;  // one alone says little of a width
  std::mt19937_64 random(2);
  double wider_e = 0, wider_alpha = 0;  // logarithms
  for (int draw = 0; draw < kDraws; ++draw) {
    PointSet set = trunks_with_shared_noise(random);
    const FitOptions options{.bootstrap = {.resamples = 300}};
    const FamilyFit clustered = fit_family("x", set.points, options);
    for (Point& point : set.points) point.cluster = point.run;
    const FamilyFit independent = fit_family("x", set.points, options);
    EXPECT_EQ(clustered.clusters, 24u);
    EXPECT_EQ(independent.clusters, 120u);
    wider_e += std::log(width(clustered.ci[kE]) / width(independent.ci[kE])) / kDraws;
    wider_alpha += std::log(width(clustered.ci[kAlpha]) / width(independent.ci[kAlpha])) / kDraws;
  }
  EXPECT_GT(std::exp(wider_e), 1.2);
  EXPECT_GT(std::exp(wider_alpha), 1.5);
}

}  // namespace
}  // namespace hyscale::analysis
