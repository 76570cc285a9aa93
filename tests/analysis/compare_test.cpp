#include "analysis/compare.h"

#include <gmock/gmock.h>

#include "analysis/envelope.h"
#include "core/base/error.h"
#include "tests/analysis/synthetic.h"

namespace hyscale::analysis {
namespace {

// Family "cheap" does with every FLOP what "dear" does with two: half the C for the same N, D and loss.
PointSet one_twice_as_dear(double noise) {
  PointSet set = planted_points(planted_law(), "dear");
  for (Point point : planted_points(planted_law(), "cheap").points) {
    point.c /= 2;
    set.points.push_back(point);
  }
  std::mt19937_64 random(3);
  add_noise(set, noise, random);
  return set;
}

TEST(Compare, FindsThatOneFamilyNeedsHalfTheComputeWhereBothWereTrained) {
  const Comparison comparison = compare_families(one_twice_as_dear(1e-3), {.bootstrap = {.resamples = 60}});
  ASSERT_EQ(comparison.pairs.size(), 1u);
  const FamilyPair& pair = comparison.pairs[0];
  ASSERT_GT(pair.multipliers.size(), 10u);
  for (const ComputeMultiplier& at : pair.multipliers) {
    EXPECT_NEAR(at.value, 2, 0.2);
    EXPECT_LT(at.ci95.low, 2.02);
    EXPECT_GT(at.ci95.high, 1.98);
    EXPECT_LE(at.flops, 1e20 * 1.01);  // what "cheap" would need beyond 5e19 lies outside its support
  }
  EXPECT_TRUE(std::isnan(pair.crossover));
  EXPECT_EQ(comparison.joint.size(), 3u);
}

TEST(Compare, FindsWhereTwoFamiliesCostTheSame) {
  PointSet set = planted_points(planted_law(), "flat");
  ScalingLaw steep = planted_law();
  steep.e -= 0.05, steep.a *= 1.08;  // worse when small, better when large
  const PointSet other = planted_points(steep, "steep");
  set.points.insert(set.points.end(), other.points.begin(), other.points.end());
  const FamilyPair pair = compare_families(set, {.bootstrap = {.resamples = 0}}).pairs.at(0);
  ASSERT_FALSE(std::isnan(pair.crossover));
  EXPECT_LT(pair.multipliers.front().value, 1);
  EXPECT_GT(pair.multipliers.back().value, 1);
  EXPECT_GT(pair.crossover, pair.multipliers.front().flops);
  EXPECT_LT(pair.crossover, pair.multipliers.back().flops);
}

TEST(Compare, GivesNoMultiplierWhereNoLossIsSharedBySupports) {
  PointSet set = planted_points(planted_law(), "one");
  ScalingLaw worse = planted_law();
  worse.e += 5;
  const PointSet other = planted_points(worse, "other");
  set.points.insert(set.points.end(), other.points.begin(), other.points.end());
  EXPECT_TRUE(compare_families(set, {.bootstrap = {.resamples = 0}}).pairs.at(0).multipliers.empty());
  EXPECT_THROW(compare_families(planted_points(), {}), ConfigError);
}

TEST(Compare, PairsRunsOfEqualSeedAlone) {
  std::vector<Point> one, other;
  for (int seed = 0; seed < 6; ++seed)
    for (const double n : {1e6, 2e6}) {
      const double shared = 0.05 * seed;  // the seed's luck, which pairs take out
      one.push_back({.n = n, .d = 1e8, .loss = 3 + shared, .seed = std::to_string(seed)});
      other.push_back(
          {.n = n * 1.01, .d = 1e8, .loss = 2.98 + shared + 1e-3 * (n > 1.5e6), .seed = std::to_string(seed)});
    }
  const PairedDifference paired = compare_pairwise(one, other);
  EXPECT_EQ(paired.pairs, 12u);
  EXPECT_EQ(paired.other_lower, 12u);
  EXPECT_NEAR(paired.mean, -0.0195, 1e-9);
  EXPECT_LT(paired.ci95.high, 0);
  EXPECT_LT(paired.p, 1e-9);
  for (Point& point : other) point.seed = "another";
  EXPECT_EQ(compare_pairwise(one, other).pairs, 0u);
}

TEST(Envelope, FollowsTheLowestOfThePlantedTrainingCurves) {
  PointSet set;
  const ScalingLaw law = planted_law();
  for (int i = 0; i <= 24; ++i) {
    const double n = 1e6 * std::pow(10, 3.0 * i / 24);
    for (double d = 1e7; d < 1e12; d *= 1.3)
      set.points.push_back(
          {.family = "x", .n = n, .d = d, .c = 6 * n * d, .loss = law.loss(n, d), .run = std::to_string(i)});
  }
  const Envelope envelope = envelopes(curves_of(set), {.resamples = 40}).at(0);
  EXPECT_NEAR(envelope.size_law.exponent, law.size_exponent(), 0.02);
  EXPECT_NEAR(envelope.token_law.exponent, law.token_exponent(), 0.02);
  EXPECT_TRUE(envelope.size_law.exponent_ci95.known());
}

TEST(Envelope, NeedsASizeBetweenTheSmallestAndTheLargest) {
  PointSet set;
  for (const double n : {1e6, 1e8})
    for (const double d : {1e8, 1e9, 1e10})
      set.points.push_back(
          {.family = "x", .n = n, .d = d, .c = 6 * n * d, .loss = planted_law().loss(n, d), .run = std::to_string(n)});
  const Envelope envelope = envelopes(curves_of(set), {}).at(0);
  EXPECT_FALSE(envelope.size_law.known);
  EXPECT_THAT(envelope.warnings, testing::Contains(testing::HasSubstr("add sizes between")));
}

}  // namespace
}  // namespace hyscale::analysis
