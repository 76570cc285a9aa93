#include <cstdlib>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "analysis/law_fit.h"
#include "tests/analysis/synthetic.h"

namespace hyscale::analysis {
namespace {

constexpr double kNoise = 0.005;  // of ln loss
constexpr std::array<LawNumber, 4> kJudged = {kE, kAlpha, kBeta, kSizeExponent};

// ./check --long asks for 400.
int studies() { return std::getenv("HYSCALE_LONG_TESTS") == nullptr ? 20 : 400; }

// `runs` runs spread over four decades of compute and a factor of 64 in tokens per parameter.
std::vector<Point> study(const ScalingLaw& law, int runs, std::mt19937_64& random) {
  std::normal_distribution<double> noise(0, kNoise);
  std::vector<Point> points;
  const int budgets = runs < 24 ? 4 : 6, sizes = runs / budgets;
  for (int b = 0; b < budgets; ++b)
    for (int s = 0; s < sizes; ++s) {
      const double c = 1e17 * std::pow(10, 4.0 * b / (budgets - 1));
      const double n = std::sqrt(c / 120) * std::pow(8, 2.0 * s / (sizes - 1) - 1), d = c / (6 * n);
      const std::string run = std::to_string(points.size());
      points.push_back({.family = "x",
                        .n = n,
                        .d = d,
                        .c = c,
                        .loss = law.loss(n, d) * std::exp(noise(random)),
                        .run = run,
                        .cluster = run});
    }
  return points;
}

TEST(Coverage, OfThe95PercentIntervalIsBetween92And98Percent) {
  const std::vector<ScalingLaw> laws = {planted_law(),
                                        {.e = 1.5, .a = 120, .b = 1500, .alpha = 0.28, .beta = 0.36},
                                        {.e = 2.1, .a = 900, .b = 300, .alpha = 0.37, .beta = 0.27}};
  const std::vector<int> runs = {16, 24, 36, 48, 60};
  std::mt19937_64 random(31);
  std::array<int, kJudged.size()> covered{};
  for (int i = 0; i < studies(); ++i) {
    const ScalingLaw& law = laws[static_cast<size_t>(i) % laws.size()];
    const auto points = study(law, runs[static_cast<size_t>(i) % runs.size()], random);
    const FamilyFit fit = fit_family("x", points, {.bootstrap = {.resamples = 600}});
    ASSERT_TRUE(fit.fitted);
    for (size_t k = 0; k < kJudged.size(); ++k) {
      const double truth = law.numbers()[kJudged[k]];
      covered[k] += fit.ci95[kJudged[k]].low <= truth && truth <= fit.ci95[kJudged[k]].high;
    }
  }
  for (size_t k = 0; k < kJudged.size(); ++k) {
    const double share = static_cast<double>(covered[k]) / studies();
    fmt::print("{} covered in {:.1f} % of {} studies\n", kLawNames[kJudged[k]], 100 * share, studies());
    // of 20 studies, an interval that covers 95 % misses five or more once in 390 times
    EXPECT_GE(share, studies() < 400 ? 0.8 : 0.92) << kLawNames[kJudged[k]];
    EXPECT_LE(share, studies() < 400 ? 1.0 : 0.98) << kLawNames[kJudged[k]];
  }
}

}  // namespace
}  // namespace hyscale::analysis
