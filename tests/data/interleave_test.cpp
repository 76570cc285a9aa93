#include "core/data/interleave.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>

namespace hyscale::data {
namespace {

std::vector<double> random_weights(std::mt19937& generator, size_t count) {
  std::vector<double> weights(count);
  double total = 0;
  for (double& weight : weights) total += weight = std::pow(std::uniform_real_distribution(0.01, 1.0)(generator), 3);
  for (double& weight : weights) weight /= total;
  return weights;
}

TEST(Interleave, KeepsEachCorpusWithinOneSequenceOfItsShareAtEveryPrefix) {
  std::mt19937 generator(5);
  for (int trial = 0; trial < 200; ++trial) {
    const std::vector<double> weights = random_weights(generator, 1 + static_cast<size_t>(trial) % 9);
    const Interleave turns(weights);
    std::vector<int64_t> taken(weights.size());
    for (int64_t index = 0; index < 2000; ++index) {
      const Interleave::Turn turn = turns.at(index);
      ASSERT_EQ(turn.earlier, taken[turn.corpus]);
      ++taken[turn.corpus];
      for (size_t j = 0; j < weights.size(); ++j)
        ASSERT_LT(std::abs(static_cast<double>(taken[j]) - weights[j] * static_cast<double>(index + 1)), 1)
            << "trial " << trial << " index " << index << " corpus " << j;
    }
  }
}

TEST(Interleave, GivesTheSameTurnWhateverWasAskedBefore) {
  const std::vector<double> weights{0.55, 0.3, 0.15};
  const Interleave forward(weights), jumping(weights);
  for (const int64_t index : {300'000, 5, 140'000, 139'999, 65'536, 65'535, 0, 300'000}) {
    const Interleave fresh(weights);
    const auto there = jumping.at(index), expected = fresh.at(index);
    EXPECT_EQ(there.corpus, expected.corpus);
    EXPECT_EQ(there.earlier, expected.earlier);
  }
  EXPECT_THAT(jumping.taken(300'000), testing::ElementsAre(165'000, 90'000, 45'000));
}

TEST(Interleave, GivesEverythingToOneCorpusAlone) {
  const Interleave alone(std::vector<double>{1});
  EXPECT_EQ(alone.at(12345).earlier, 12345);
}

}  // namespace
}  // namespace hyscale::data
