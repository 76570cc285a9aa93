#include "core/infer/sampling.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

namespace hyscale::infer {
namespace {

const std::vector<float> kLogits{0.5F, 2.0F, -1.0F, 2.0F, 1.0F};

std::vector<double> shares(const Sampling& sampling, int draws = 20'000) {
  std::vector<double> share(kLogits.size());
  for (int i = 0; i < draws; ++i)
    share[static_cast<size_t>(sample(kLogits, sampling, 0, static_cast<uint64_t>(i)))] += 1.0 / draws;
  return share;
}

TEST(Sampling, IsGreedyAtTemperatureZeroAndTakesTheFirstOfEquals) { EXPECT_EQ(sample(kLogits, {}, 3, 7), 1); }

TEST(Sampling, DrawsAsOftenAsSoftmaxSays) {
  for (const double temperature : {0.5, 1.0, 2.0}) {
    const std::vector<double> share = shares({.temperature = temperature, .seed = 11});
    double sum = 0;
    for (const float logit : kLogits) sum += std::exp(static_cast<double>(logit) / temperature);
    for (size_t i = 0; i < kLogits.size(); ++i)
      EXPECT_NEAR(share[i], std::exp(static_cast<double>(kLogits[i]) / temperature) / sum, 0.015) << i;
  }
}

TEST(Sampling, TopKDrawsFromTheLikeliestOnly) {
  const std::vector<double> share = shares({.temperature = 1, .top_k = 2});
  EXPECT_NEAR(share[1], 0.5, 0.015);
  EXPECT_NEAR(share[3], 0.5, 0.015);
}

TEST(Sampling, TopPDrawsFromTheFewestThatReachIt) {
  // probabilities 0.096, 0.358, 0.018, 0.358, 0.132... of 1.02: the two likeliest have 0.74, three 0.89
  const std::vector<double> two = shares({.temperature = 1, .top_p = 0.7}),
                            three = shares({.temperature = 1, .top_p = 0.8});
  EXPECT_EQ(two[4], 0);
  EXPECT_GT(three[4], 0.1);
  EXPECT_EQ(three[0], 0);
  const std::vector<double> one = shares({.temperature = 1, .top_p = 1e-9});
  EXPECT_NEAR(one[1], 1, 1e-12);
}

TEST(Sampling, DependsOnSeedSequenceAndPositionAlone) {
  const Sampling sampling{.temperature = 1, .seed = 5};
  bool by_seed = false, by_sequence = false;
  for (uint64_t at = 0; at < 50; ++at) {
    EXPECT_EQ(sample(kLogits, sampling, 1, at), sample(kLogits, sampling, 1, at));
    by_seed |= sample(kLogits, sampling, 1, at) != sample(kLogits, {.temperature = 1, .seed = 6}, 1, at);
    by_sequence |= sample(kLogits, sampling, 1, at) != sample(kLogits, sampling, 2, at);
  }
  EXPECT_TRUE(by_seed);
  EXPECT_TRUE(by_sequence);
}

}  // namespace
}  // namespace hyscale::infer
