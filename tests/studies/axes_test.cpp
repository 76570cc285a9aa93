// What a study varies beside families, sizes and FLOPs: contexts, settings, budgets of other kinds, rules over sizes.
#include <cmath>
#include <gmock/gmock.h>
#include <limits>
#include <map>
#include <set>

#include "core/base/error.h"
#include "studies/cells.h"
#include "tests/studies/study_fixture.h"

namespace hyscale::studies {

using testing::AllOf;
using testing::HasSubstr;
using testing::SizeIs;
using testing::ThrowsMessage;

class Axes : public StudyFixture {
 protected:
  void SetUp() override {
    StudyFixture::SetUp();
    replace_line(study_, "limits:", "limits: {}");
  }
  std::vector<PlannedRun> runs_of(const Plan& plan, const std::string& family, const std::string& size) {
    std::vector<PlannedRun> runs;
    for (const PlannedRun& run : plan.runs)
      if (run.family() == family && run.size() == size) runs.push_back(run);
    return runs;
  }
  static std::set<std::string> ids(const Plan& plan) {
    std::set<std::string> all;
    for (const PlannedRun& run : plan.runs) all.insert(run.run_id);
    return all;
  }
  void add_line(const std::string& line) { replace(study_, "seeds: [0]", line + "\nseeds: [0]"); }
};

TEST_F(Axes, EveryCellOnceWithEachContextAndSettingAndTheBasesOwnAreTheRunsWithoutAxes) {
  const std::set<std::string> plain = ids(plan());
  add_line("contexts: [128, 256]");
  add_line("axes: {train.optimizer.weight_decay: [0.1, 0.01]}");
  const Plan p = plan();
  EXPECT_EQ(p.runs.size(), 4 * plain.size());
  EXPECT_EQ(ids(p).size(), 4 * plain.size());
  for (const std::string& id : plain) EXPECT_TRUE(ids(p).contains(id)) << "context 256 and decay 0.1 are the base's";
  for (const PlannedRun& run : p.runs) {
    EXPECT_NEAR(run.flops().with_head / run.budget, 1, 0.01);
    const bool usual = run.train.optimizer.weight_decay == 0.1;
    EXPECT_EQ(run.model->axes, usual ? "train.optimizer.weight_decay=0.1" : "train.optimizer.weight_decay=0.01");
    EXPECT_EQ(run.run_id, spec::run_id(run.config(), corpus_.identity));
  }
}

TEST_F(Axes, ABranchHasTheTrunkOfItsOwnSetting) {
  add_line("axes: {train.optimizer.weight_decay: [0.1, 0.01]}");
  const Plan p = plan();
  std::map<std::string, const PlannedRun*> trunks;
  for (const PlannedRun& run : p.runs)
    if (run.role == Role::trunk) trunks[run.run_id] = &run;
  for (const PlannedRun& run : p.runs)
    if (run.role == Role::branch) {
      EXPECT_EQ(trunks.at(run.parent)->model->axes, run.model->axes);
    }
}

TEST_F(Axes, AnAxisThatAFamilyDoesNotHaveLeavesItsRunsAlike) {
  add_line("axes: {model.mixers.A.window: [64, 128]}");
  const Plan p = plan();
  std::set<std::string> mamba, transformer;
  for (const PlannedRun& run : runs_of(p, "mamba", "34K")) mamba.insert(run.run_id);
  for (const PlannedRun& run : runs_of(p, "transformer", "34K")) transformer.insert(run.run_id);
  EXPECT_THAT(mamba, SizeIs(3));
  EXPECT_THAT(transformer, SizeIs(6));
}

TEST_F(Axes, ABudgetOfTokensIsThatOfEveryFamily) {
  replace_line(study_, "budgets:", "budgets: {tokens: [500K, 2M]}");
  const Plan p = plan();
  EXPECT_THAT(p.runs, SizeIs(4 * 6 * 2));
  for (const PlannedRun& run : p.runs) {
    EXPECT_NEAR(static_cast<double>(run.train.tokens), run.budget, 512);
    EXPECT_EQ(run.budget_flops, 0) << "no point of an isoFLOP curve";
  }
}

TEST_F(Axes, ABudgetOfTokensPerParameterGrowsWithTheModel) {
  replace_line(study_, "budgets:", "budgets: {tokens_per_parameter: [20, 40]}");
  for (const PlannedRun& run : plan().runs)
    EXPECT_NEAR(static_cast<double>(run.train.tokens) / static_cast<double>(run.model->account.params.non_embedding) /
                    run.budget,
                1, 0.01);
}

TEST_F(Axes, AtEqualTokensAllFamiliesOfASizeSeeThoseOfTheFirst) {
  add_line("compare: equal_tokens");
  const Plan p = plan();
  std::map<std::pair<std::string, double>, std::set<int64_t>> tokens;
  for (const PlannedRun& run : p.runs) tokens[{run.size(), run.budget}].insert(run.train.tokens);
  for (const auto& [cell, seen] : tokens) EXPECT_THAT(seen, SizeIs(1)) << cell.first;
  for (const PlannedRun& run : p.runs) {
    const bool on_budget = std::abs(run.flops().with_head / run.budget - 1) <= 0.01;
    EXPECT_EQ(run.budget_flops, on_budget ? run.budget : 0) << "an isoFLOP curve has no other points";
    EXPECT_TRUE(on_budget || run.family() != "transformer");
  }
}

TEST_F(Axes, AtEqualFlopsAllFamiliesOfASizeSpendThoseOfTheFirst) {
  replace_line(study_, "budgets:", "budgets: {tokens: [500K, 2M]}");
  add_line("compare: equal_flops");
  std::map<std::pair<std::string, double>, double> first;
  for (const PlannedRun& run : plan().runs) {
    if (run.family() == "transformer") first[{run.size(), run.budget}] = run.flops().with_head;
    EXPECT_NEAR(run.flops().with_head / first.at({run.size(), run.budget}), 1, 0.01);
  }
}

TEST_F(Axes, ExcludeAndIncludeLeaveExactlyTheCellsTheyName) {
  const Plan all = plan();
  add_line("include: [{family: [mamba, intra]}, {family: inter, budget: 8e11}]");
  add_line("exclude: [{family: mamba, size: [12K, 20K], budget: 1e11}]");
  const Plan p = plan();
  EXPECT_EQ(p.excluded, 6 * 3 + 6 * 2 + 2);
  std::set<std::string> expected;
  for (const PlannedRun& run : all.runs) {
    const bool small = run.size() == "12K" || run.size() == "20K";
    if (run.family() == "intra" || (run.family() == "inter" && run.budget == 8e11) ||
        (run.family() == "mamba" && !(small && run.budget == 1e11)))
      expected.insert(run.family() + run.size() + std::to_string(run.budget));
  }
  std::set<std::string> planned;
  for (const PlannedRun& run : p.runs) planned.insert(run.family() + run.size() + std::to_string(run.budget));
  EXPECT_EQ(planned, expected);
}

TEST_F(Axes, ARuleThatMatchesNothingIsAnErrorAtItsPlace) {
  replace_line(study_, "seeds:", "seeds: {default: [0], 58K: [0, 1]}");
  replace(study_, "batch:", "exclude:\n  - {size: 58K, seed: 1}\n  - {size: 20K, seed: 1}\nbatch:");
  EXPECT_THAT([&] { plan(); }, ThrowsMessage<ConfigError>(
                                   AllOf(HasSubstr("this entry of exclude matches no cell"), HasSubstr(".yaml:"))));
}

TEST_F(Axes, ABudgetThatRulesLeaveWithThreeSizesIsAnError) {
  add_line("exclude: [{family: mamba, budget: 1e11, size: [12K, 20K, 34K]}]");
  EXPECT_THAT([&] { plan(); },
              ThrowsMessage<ConfigError>(HasSubstr("budget 1e+11 keeps 3 sizes of family mamba, not 4")));
}

TEST_F(Axes, ABatchRuleGivesEachSizeWholeSequences) {
  replace(study_, "{tokens: 512}", "{at: 100K, value: 2048, exponent: 0.5, max: 2500}");
  std::map<std::string, std::set<int64_t>> batches;
  for (const PlannedRun& run : plan().runs) {
    batches[run.size()].insert(run.train.batch_tokens);
    EXPECT_EQ(run.train.tokens % run.train.batch_tokens, 0);
  }
  EXPECT_THAT(batches.at("100K"), testing::ElementsAre(2048));
  EXPECT_THAT(batches.at("12K"), testing::ElementsAre(std::llround(2048 * std::sqrt(0.12) / 256) * 256));
  EXPECT_THAT(batches.at("200K"), testing::ElementsAre(2560)) << "the cap, in whole sequences";
}

TEST_F(Axes, LargerSizesWaitForASweepAndThenTakeItsWinner) {
  replace(study_, "max: 6e-3}", "sweep: {scale: [0.5, 1, 2], for: [34K], carry: true}}");
  replace_line(study_, "seeds:", "seeds: [0, 1]");
  const Plan before = plan();
  EXPECT_THAT(before.waiting, SizeIs(4 * 3 * 3 * 2));
  for (const RejectedCell& cell : before.waiting) EXPECT_EQ(cell.reason, "waits for the sweep at 34K");
  EXPECT_THAT(runs_of(before, "mamba", "12K"), SizeIs(6)) << "smaller sizes follow the rule";

  Known known;
  for (const PlannedRun& run : before.runs) {
    if (run.size() != "34K" || run.budget != 8e11) continue;
    const double scale = run.train.optimizer.lr / rounded_rate(3e-3 * std::pow(0.34, -0.25));
    const double best = run.family() == "mamba" ? 0.5 : 1;
    known.losses[run.run_id] = 3 + std::abs(std::log(scale / best)) + 0.01 * static_cast<double>(run.seed());
  }
  const Plan after = make_plan(read(), store_, known);
  EXPECT_TRUE(after.waiting.empty());
  for (const PlannedRun& run : runs_of(after, "mamba", "200K"))
    EXPECT_EQ(run.train.optimizer.lr, rounded_rate(0.5 * 3e-3 * std::pow(2, -0.25)));
  for (const PlannedRun& run : runs_of(after, "intra", "200K"))
    EXPECT_EQ(run.train.optimizer.lr, rounded_rate(3e-3 * std::pow(2, -0.25)));
  EXPECT_THAT(after.notes, testing::Contains(AllOf(HasSubstr("mamba 200K takes 0.5"), HasSubstr("may lie beyond"))));
  EXPECT_THAT(after.notes,
              testing::Contains(AllOf(HasSubstr("intra 200K takes 1"), testing::Not(HasSubstr("beyond")))));
  for (const std::string& id : ids(before)) EXPECT_TRUE(ids(after).contains(id));

  known.losses.erase(runs_of(before, "mamba", "34K").front().run_id);
  EXPECT_THAT(make_plan(read(), store_, known).waiting, SizeIs(3 * 3 * 2)) << "mamba's alone";
}

TEST_F(Axes, ADivergedRateDoesNotWinASweepAndASweepOfDivergedRatesRejectsWhatWaitsForIt) {
  replace(study_, "max: 6e-3}", "sweep: {scale: [1, 2], for: [58K], carry: true}}");
  const double diverged = std::numeric_limits<double>::infinity();
  Known known;
  for (const PlannedRun& run : plan().runs)
    known.losses[run.run_id] = run.train.optimizer.lr > 5e-3 && run.size() == "58K" ? diverged : 3;
  for (const PlannedRun& run : runs_of(make_plan(read(), store_, known), "mamba", "200K"))
    EXPECT_EQ(run.train.optimizer.lr, rounded_rate(3e-3 * std::pow(2, -0.25)));
  for (auto& [run, loss] : known.losses) loss = diverged;
  const Plan p = make_plan(read(), store_, known);
  EXPECT_TRUE(p.waiting.empty());
  EXPECT_THAT(p.rejected, SizeIs(4 * 2 * 3));
  EXPECT_EQ(p.rejected[0].reason, "the sweep at 58K has left no learning rate to carry on");
}

TEST_F(Axes, ASmallerBudgetKeepsTheWarmUpThatTheStudyHasOrIsRejected) {
  const Plan stored = plan();
  Known known;
  for (const PlannedRun& run : stored.runs)
    known.warmups[{run.family(), run.size(), 256, ""}] = {run.train.schedule.warmup_tokens, run.train.batch_tokens};
  replace(study_, "[1e11, 3e11, 8e11]", "[2e10, 1e11, 3e11, 8e11]");
  const Plan extended = make_plan(read(), store_, known);
  for (const std::string& id : ids(stored)) EXPECT_TRUE(ids(extended).contains(id)) << "nothing is trained again";
  EXPECT_GT(extended.runs.size(), stored.runs.size());
  EXPECT_THAT(extended.notes, testing::Contains(HasSubstr("keeps the warm-up of")));
  for (auto& [key, warmup] : known.warmups) warmup.tokens *= 6;
  const Plan rejecting = [&] {
    replace(study_, "[12K, 20K, 34K, 58K, 100K, 200K]", "[7K, 8K, 9K, 10K, 12K, 20K, 34K, 58K, 100K, 200K]");
    return make_plan(read(), store_, known);
  }();
  EXPECT_THAT(rejecting.rejected,
              testing::Contains(testing::Field(&RejectedCell::reason, HasSubstr("the study's stored warm-up of"))));
}

TEST_F(Axes, AModelThatDoesNotFitItsMemoryIsRejectedWithTheNumbers) {
  replace(study_, "threads: 1", "threads: 1, memory: 11MiB");
  const Plan p = plan();
  ASSERT_FALSE(p.rejected.empty());
  for (const RejectedCell& cell : p.rejected)
    EXPECT_THAT(cell.reason, AllOf(HasSubstr("a rank needs"), HasSubstr("more than 0.0107")));
  for (const PlannedRun& run : p.runs) EXPECT_LE(run.model->memory.total(), 11 * 1048576.0);
}

TEST_F(Axes, AGpuTakesTheLargestMicroBatchThatFits) {
  replace(study_, "threads: 1", "gpus: 1, gpu_kind: H200");
  replace(study_, "device: cpu", "device: cuda");
  for (const Shape& shape : plan().shapes) EXPECT_EQ(shape.micro_batch, 2) << "the whole batch";
  replace_line(study_, "sizes:", "sizes: [1B, 2B, 3B, 6B, 8B, 11B, 20B]");
  replace_line(study_, "budgets:", "budgets: {tokens: [1M]}");
  const Plan p = plan();
  std::set<std::string> left;
  for (const PlannedRun& run : p.runs) left.insert(run.size());
  EXPECT_THAT(left, testing::ElementsAre("1B", "2B", "3B", "6B", "8B"));
  EXPECT_THAT(p.rejected.back().reason, HasSubstr("with 1 sequences at once, more than 129"));
}

TEST_F(Axes, ABatchThatDoesNotSplitOverItsRanksIsRejected) {
  replace(study_, "threads: 1", "threads: 1, ranks: 4");
  EXPECT_THAT([&] { plan(); },
              ThrowsMessage<ConfigError>(HasSubstr("a batch of 2 sequences does not split over 4 ranks, over 2 it")));
}

}  // namespace hyscale::studies
