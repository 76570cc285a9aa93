#include "analysis/questions.h"

#include <gmock/gmock.h>

#include "tests/analysis/synthetic.h"

namespace hyscale::analysis {
namespace {

using Outcome = Answer::Outcome;
using testing::HasSubstr;

// Families "good" and "bad", whose losses differ by 0.1 nats at every size, each with scatter of its own.
std::vector<FamilyIsoFlop> two_families(double noise) {
  std::mt19937_64 random(1);
  ScalingLaw law = planted_law();
  PointSet set = planted_points(law, "good");
  law.e += 0.1;
  const PointSet other = planted_points(law, "bad");
  set.points.insert(set.points.end(), other.points.begin(), other.points.end());
  add_noise(set, noise, random);
  for (Point& point : set.points) point.size = std::to_string(point.n);
  return fit_isoflop(set, {.bootstrap = {.resamples = 200}});
}

studies::Question asking(double difference, double flops = 1e18) {
  return {.ask = "Is it better?", .compare = {"good", "bad"}, .at_flops = flops, .difference = difference};
}

Answer answer(const studies::Question& question, double noise = 1e-3, double bits_per_nat = kMissing) {
  return answer_questions({question}, two_families(noise), bits_per_nat).at(0);
}

TEST(Questions, AreAnsweredYesNoOrNotAtAll) {
  EXPECT_EQ(answer(asking(0.05)).outcome, Outcome::yes);
  EXPECT_EQ(answer(asking(0.15)).outcome, Outcome::no);
  EXPECT_EQ(answer(asking(0.1)).outcome, Outcome::not_decided);
  EXPECT_EQ(answer(asking(0.05), 0.1).outcome, Outcome::not_decided);
}

TEST(Questions, SayHowManyMoreRunsWouldDecideThem) {
  const Answer undecided = answer(asking(0.05), 0.04);
  ASSERT_EQ(undecided.outcome, Outcome::not_decided);
  EXPECT_GT(undecided.more_runs, 0);
  EXPECT_THAT(undecided.sentence, HasSubstr("more runs of each family"));
  EXPECT_EQ(answer(asking(0.05)).more_runs, 0);
}

TEST(Questions, MeasureTheGainWithItsSign) {
  studies::Question question = asking(0.05);
  EXPECT_NEAR(answer(question).difference, 0.1, 0.01);
  question.compare = {"bad", "good"};
  const Answer other_way = answer(question);
  EXPECT_NEAR(other_way.difference, -0.1, 0.01);
  EXPECT_EQ(other_way.outcome, Outcome::no);
  EXPECT_THAT(other_way.sentence, HasSubstr("bad is higher than good"));
}

TEST(Questions, CountPairsOfEqualSize) {
  const Pairs pairs = answer(asking(0.05)).pairs;
  EXPECT_EQ(pairs.count, 7);
  EXPECT_EQ(pairs.first_lower, 7);
  EXPECT_NEAR(pairs.mean, 0.1, 0.01);
  EXPECT_LE(pairs.smallest, pairs.mean);
  EXPECT_GE(pairs.largest, pairs.mean);
}

TEST(Questions, AreAskedInBitsPerByteToo) {
  studies::Question question = asking(0.05);
  question.metric = "bits_per_byte";
  EXPECT_NEAR(answer(question, 1e-3, 0.4).difference, 0.04, 0.004);
  EXPECT_EQ(answer(question, 1e-3, 0.4).outcome, Outcome::no);
  EXPECT_EQ(answer(question).outcome, Outcome::not_decided);
}

TEST(Questions, StayOpenAtABudgetThatWasNotTrained) {
  const Answer open = answer(asking(0.05, 5e18));
  EXPECT_EQ(open.outcome, Outcome::not_decided);
  EXPECT_THAT(open.sentence, HasSubstr("good has no finished runs at that budget"));
}

}  // namespace
}  // namespace hyscale::analysis
