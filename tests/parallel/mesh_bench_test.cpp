// What `bench` and `eval` say under several ranks.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/parallel/worker_process.h"

namespace hyscale::parallel {
namespace {

using ::testing::HasSubstr;

/// The JSON that a command printed, behind whatever a launcher said.
nlohmann::json said(const Outcome& outcome) {
  EXPECT_EQ(outcome.status, 0) << outcome.said;
  return nlohmann::json::parse(outcome.said.substr(outcome.said.find("{\n")));
}

nlohmann::json bench(const Workshop& shop, const std::vector<std::string>& more = {}) {
  std::vector<std::string> words{"bench", "train", shop.path("run.yaml"), "--tp", "2", "--steps", "4", "--json"};
  words.insert(words.end(), more.begin(), more.end());
  return said(shop.run(words));
}

TEST(BenchUnderFourRanks, SaysWhatTheyAreTogetherAndSeesASlowNetwork) {
  Workshop shop;
  launch_ranks(shop, 4);
  const auto usual = bench(shop), slow = bench(shop, {"--slow-communication", "20"});
  EXPECT_EQ(usual.at("dp"), 2);
  EXPECT_EQ(usual.at("tp"), 2);
  EXPECT_GT(usual.at("scaling_efficiency"), 0);
  EXPECT_GT(usual.at("exposed_communication"), 0);
  EXPECT_LE(usual.at("exposed_communication"), 1);
  // two layers of two parts each are eight sums over the tensor group, and more
  EXPECT_GT(slow.at("exposed_communication").get<double>() * slow.at("step_ms").at("median").get<double>(), 8 * 20);
}

TEST(BenchUnderFourRanks, FailsWhereTooMuchOfTheCommunicationIsExposed) {
  Workshop shop;
  launch_ranks(shop, 2);
  const Outcome outcome = shop.run({"bench", "train", shop.path("run.yaml"), "--steps", "2", "--require-overlap",
                                    "99.9", "--slow-communication", "20"});
  EXPECT_EQ(outcome.status, 1) << outcome.said;
  EXPECT_THAT(outcome.said, HasSubstr("of a step are exposed communication; --require-overlap 99.9 allows 0.1"));
}

TEST(TrainingOnTwoRanks, SaysInEveryLineWhatCommunicationIsExposed) {
  Workshop shop;
  ASSERT_THAT(shop.run(shop.train("one")).said, Not(HasSubstr("exposed communication")));
  launch_ranks(shop, 2);
  EXPECT_THAT(shop.run(shop.train("two")).said,
              ::testing::ContainsRegex("step 200/200 .* exposed communication [0-9]"));
}

TEST(EvaluationByRanksThatShareAModel, IsThatOfOneRank) {
  Workshop shop;
  ASSERT_EQ(shop.run(shop.train("run")).status, 0);
  const std::vector<std::string> eval{"eval", shop.out("run"), "--store", shop.path("store"), "--json"};
  const auto one = said(shop.run(eval));
  launch_ranks(shop, 4);
  std::vector<std::string> words = eval;
  words.insert(words.end(), {"--tp", "2"});
  const auto four = said(shop.run(words));
  EXPECT_EQ(one.at("tokens"), four.at("tokens"));
  EXPECT_NEAR(one.at("loss").get<double>(), four.at("loss").get<double>(), 1e-5);
  words.back() = "3";
  const Outcome three = shop.run(words);
  EXPECT_EQ(three.status, 2);
  EXPECT_THAT(three.said, HasSubstr("--tp 3: 4 ranks are no multiple of it"));
}

}  // namespace
}  // namespace hyscale::parallel
