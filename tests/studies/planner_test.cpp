#include <cmath>
#include <gmock/gmock.h>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "studies/cells.h"
#include "tests/studies/study_fixture.h"

namespace hyscale::studies {

using testing::HasSubstr;
using testing::ThrowsMessage;

class Planner : public StudyFixture {
 protected:
  static const PlannedRun& run(const Plan& plan, const std::string& family, const std::string& size, double budget) {
    for (const PlannedRun& r : plan.runs)
      if (r.family() == family && r.size() == size && r.budget_flops == budget) return r;
    throw std::out_of_range(family + " " + size);
  }
};

TEST_F(Planner, TheShippedQuickstartKeepsFourSizesOfEveryBudgetAndItsCost) {
  const std::string specs = source_directory() + "/studies/specs/";
  study_ = read_file(specs + "quickstart.yaml");
  replace(study_, "base: quickstart-base.yaml", "base: base.yaml");
  base_ = read_file(specs + "quickstart-base.yaml");
  replace(base_, "corpus: quickstart", "corpus: sample");
  const Plan p = plan();  // refuses a budget with fewer sizes
  EXPECT_EQ(p.runs.size() + p.rejected.size(), 4u * 6 * 3);
  for (const PlannedRun& r : p.runs) EXPECT_GE(r.train.steps(), 300) << r.family() << r.size();
  EXPECT_GE(p.cost_flops, 1.2e13);
  EXPECT_LE(p.cost_flops, 1.6e13);  // minutes on two cores
}

// Ids of all runs in order, as one hash.
static std::string ids_of(const Plan& plan) {
  std::string ids;
  for (const PlannedRun& run : plan.runs) ids += run.run_id;
  return sha256_hex(ids);
}

TEST_F(Planner, RunsKeepTheIdsThatEarlierVersionsGaveThem) {
  EXPECT_EQ(ids_of(plan()), "b96c2d105d7f4bfae5d326941fe26296525ae9b226bb5750bc9a06f86e028f60");
}

TEST_F(Planner, EveryRunMeetsItsBudgetInWholeSteps) {
  for (const PlannedRun& r : plan().runs) {
    const spec::TrainConfig& train = r.train;
    EXPECT_NEAR(r.flops().with_head / r.budget_flops, 1, 0.01);
    EXPECT_EQ(train.tokens % train.batch_tokens, 0);
    EXPECT_EQ(train.schedule.cooldown_tokens % train.batch_tokens, 0);
    EXPECT_NEAR(static_cast<double>(train.schedule.cooldown_tokens) / static_cast<double>(train.tokens), 0.2, 0.01);
    EXPECT_DOUBLE_EQ(r.flops().with_head,
                     r.model->account.train_flops_per_token.with_head * static_cast<double>(train.tokens));
    EXPECT_EQ(r.run_id, spec::run_id(r.config(), corpus_.identity));
  }
}

TEST_F(Planner, ABranchIsTheStandAloneRunOfItsBudget) {
  const Plan shared = plan();
  replace(study_, "branch: true", "branch: false");
  const Plan alone = plan();
  std::set<std::string> ids;
  for (const PlannedRun& r : alone.runs) {
    EXPECT_EQ(r.role, Role::alone);
    ids.insert(r.run_id);
  }
  for (const PlannedRun& r : shared.runs) EXPECT_EQ(ids.count(r.run_id), 1u) << r.family() << r.size();
  EXPECT_LT(shared.cost_flops, alone.cost_flops);
}

TEST_F(Planner, ATrunkComesFirstAndCheckpointsWhereItsBranchesStart) {
  const Plan p = plan();
  std::map<std::string, const PlannedRun*> trunks;
  size_t branches = 0;
  for (const PlannedRun& r : p.runs) {
    if (r.role == Role::trunk) trunks[r.run_id] = &r;
    if (r.role != Role::branch) continue;
    ++branches;
    ASSERT_EQ(trunks.count(r.parent), 1u) << "the trunk stands before its branch";
    const PlannedRun& trunk = *trunks[r.parent];
    EXPECT_THAT(trunk.checkpoint_at, testing::Contains(r.branch_tokens));
    EXPECT_EQ(r.branch_tokens, r.train.tokens - r.train.schedule.cooldown_tokens);
    EXPECT_EQ(r.branch_step * r.train.batch_tokens, r.branch_tokens);
    EXPECT_LE(r.branch_tokens, trunk.train.tokens - trunk.train.schedule.cooldown_tokens);
    EXPECT_GE(r.branch_tokens, r.train.schedule.warmup_tokens);
    EXPECT_EQ(r.train.schedule.warmup_tokens, trunk.train.schedule.warmup_tokens);
    spec::RunConfig same = r.config();  // equal to the trunk's but for tokens and cool-down
    same.train.tokens = trunk.train.tokens;
    same.train.schedule = trunk.train.schedule;
    EXPECT_EQ(spec::run_id(same, corpus_.identity), trunk.run_id);
  }
  EXPECT_GT(branches, 20u);
}

TEST_F(Planner, WarmUpIsAFractionOfTheSmallestBudgetASizeKeeps) {
  const Plan p = plan();
  const int64_t smallest = run(p, "mamba", "58K", 1e11).train.tokens;
  EXPECT_NEAR(static_cast<double>(run(p, "mamba", "58K", 8e11).train.schedule.warmup_tokens),
              0.1 * static_cast<double>(smallest), 256);
  const int64_t kept = run(p, "mamba", "200K", 3e11).train.tokens;  // 1e11 is too short for this size
  EXPECT_NEAR(static_cast<double>(run(p, "mamba", "200K", 8e11).train.schedule.warmup_tokens),
              0.1 * static_cast<double>(kept), 256);
}

TEST_F(Planner, AnAbsoluteWarmUpHoldsForAllAndRejectsWhatItFills) {
  replace(study_, "warmup: 0.1", "warmup_tokens: 51200");
  for (const PlannedRun& r : plan().runs) EXPECT_EQ(r.train.schedule.warmup_tokens, 51200);
  replace(study_, "warmup_tokens: 51200", "warmup_tokens: 165000");
  EXPECT_THAT([&] { plan(); }, ThrowsMessage<ConfigError>(HasSubstr("warm-up of 165000 and cool-down of")));
}

TEST_F(Planner, CostCountsASharedPrefixOnce) {
  const Plan p = plan();
  double cost = 0;
  for (const PlannedRun& r : p.runs) {
    const double executed = r.model->account.train_flops_per_token.executed;
    const int64_t tokens = r.role == Role::branch ? r.train.schedule.cooldown_tokens : r.train.tokens;
    cost += executed * static_cast<double>(tokens);
  }
  EXPECT_NEAR(p.cost_flops / cost, 1, 1e-12);
}

TEST_F(Planner, FamiliesThatComeOutAlikeShareIdsAndCost) {
  const double cost = plan().cost_flops;
  replace(study_, "  mamba:       {stack: M}", "  mamba:       {stack: M}\n  again:       {stack: M}");
  const Plan p = plan();
  EXPECT_EQ(run(p, "again", "58K", 3e11).run_id, run(p, "mamba", "58K", 3e11).run_id);
  EXPECT_DOUBLE_EQ(p.cost_flops, cost);
}

TEST_F(Planner, SeedsMayDifferBySize) {
  replace_line(study_, "seeds:", "seeds: {default: [7], 58K: [0, 1, 2]}");
  const Plan p = plan();
  std::set<int64_t> small, other;
  for (const PlannedRun& r : p.runs) {
    (r.size() == "58K" ? small : other).insert(r.seed());
    EXPECT_EQ(r.train.seed, r.seed());
    EXPECT_EQ(r.config().data.seed, r.seed());
  }
  EXPECT_THAT(small, testing::ElementsAre(0, 1, 2));
  EXPECT_THAT(other, testing::ElementsAre(7));
}

TEST_F(Planner, ALearningRateSweepMakesOneTrunkPerRate) {
  replace(study_, "max: 6e-3}", "max: 6e-3, sweep: {scale: [0.5, 1], for: [58K]}}");
  const Plan p = plan();
  std::set<double> rates;
  std::set<std::string> trunks;
  for (const PlannedRun& r : p.runs)
    if (r.family() == "mamba" && r.size() == "58K") {
      rates.insert(r.train.optimizer.lr);
      trunks.insert(r.cluster());
    }
  EXPECT_THAT(rates, testing::SizeIs(2));
  EXPECT_NEAR(*rates.begin() / *rates.rbegin(), 0.5, 0.005);
  EXPECT_THAT(trunks, testing::SizeIs(2));
}

TEST_F(Planner, TheLearningRateFollowsItsRuleAndItsCap) {
  const Plan p = plan();
  EXPECT_EQ(run(p, "mamba", "100K", 3e11).train.optimizer.lr, 3e-3);
  EXPECT_EQ(run(p, "mamba", "12K", 1e11).train.optimizer.lr, rounded_rate(3e-3 * std::pow(0.12, -0.25)));
  replace(study_, "max: 6e-3", "max: 4e-3");
  EXPECT_EQ(run(plan(), "mamba", "12K", 1e11).train.optimizer.lr, 4e-3);
}

TEST_F(Planner, ASetChangesItsFamilyAlone) {
  replace(study_, "{stack: A}", "{stack: A, set: {model.mixers.A.window: 64, train.optimizer.weight_decay: 0.2}}");
  const Plan p = plan();
  EXPECT_EQ(run(p, "transformer", "58K", 3e11).train.optimizer.weight_decay, 0.2);
  EXPECT_THAT(run(p, "transformer", "58K", 3e11).model->config.model.stack[0].mixer->to_yaml(),
              HasSubstr("window: 64"));
  EXPECT_EQ(run(p, "mamba", "58K", 3e11).train.optimizer.weight_decay, 0.1);
}

TEST_F(Planner, EachLimitRejectsWithItsReason) {
  const auto reasons = [&] {
    std::string text;
    for (const RejectedCell& cell : plan().rejected) text += cell.reason + "\n";
    return text;
  };
  EXPECT_THAT(reasons(), HasSubstr("tokens per parameter, more than 120"));
  EXPECT_THAT(reasons(), HasSubstr("steps, fewer than 300"));
  replace(study_, "epochs: 4", "epochs: 0.6");
  replace(study_, "200K]", "130K, 160K, 200K]");  // enough sizes stay
  EXPECT_THAT(reasons(), HasSubstr("epochs of the corpus sample, more than 0.6"));
}

TEST_F(Planner, CountsTheEpochsOfTheCorpusOfAMixtureThatIsPassedOverMost) {
  const Plan alone = plan();
  spec::CorpusManifest small = corpus_;
  small.name = "small", small.directory = spec::corpus_directory(store_, "small");
  small.train_tokens /= 100;
  small.identity.corpus_sha256 = std::string(64, 'c');
  make_writable_directory(small.directory);
  save_corpus_manifest(small);
  replace(base_, "corpus: sample", "mixture: [{corpus: sample, weight: 3}, {corpus: small, weight: 1}]");
  replace(study_, "epochs: 4", "epochs: 400");
  const Plan mixed = plan();
  EXPECT_EQ(mixed.data.epochs(1'000'000).corpus, "small");
  EXPECT_DOUBLE_EQ(mixed.data.epochs(1'000'000).count, 250'000.0 / 40'000.0);
  EXPECT_EQ(mixed.runs.size(), alone.runs.size());
  EXPECT_NE(mixed.runs[0].run_id, alone.runs[0].run_id);
  replace(study_, "epochs: 400", "epochs: 4");
  EXPECT_THAT([&] { plan(); }, ThrowsMessage<ConfigError>(HasSubstr("epochs of the corpus small, more than 4")));
}

TEST_F(Planner, WholeStepsThatLeaveTheBudgetAreRejected) {
  replace_line(study_, "limits:", "limits: {}");
  replace(study_, "tokens: 512", "tokens: 16384");  // few, large steps
  replace(study_, "200K]", "220K, 260K, 300K, 350K, 400K]");
  const Plan p = [&] {
    replace(study_, "flops: [1e11, 3e11, 8e11]", "flops: [8e11]");
    return plan();
  }();
  ASSERT_FALSE(p.rejected.empty());
  EXPECT_THAT(p.rejected[0].reason, HasSubstr("whole steps leave the budget by"));
}

TEST_F(Planner, ABudgetLeftWithThreeSizesIsAnErrorThatSaysWhy) {
  replace(study_, "12K, 20K, 34K, 58K,", "20K, 34K, 58K,");
  EXPECT_THAT([&] { plan(); },
              ThrowsMessage<ConfigError>(testing::AllOf(
                  HasSubstr("budget 1e+11 keeps 3 sizes of family transformer, not 4"), HasSubstr("fewer than 300"))));
}

TEST_F(Planner, ProblemsWithTheBaseAndTheCorpusAreNamed) {
  const std::string base = base_;
  replace(base_, "    H: {kind", "    X: {kind");
  EXPECT_THAT([&] { plan(); }, ThrowsMessage<ConfigError>(testing::AllOf(HasSubstr("family intra needs mixer H"),
                                                                         HasSubstr("study.yaml:12:16"))));
  base_ = base;
  replace(base_, "vocabulary: 258", "vocabulary: 386");
  EXPECT_THAT([&] { plan(); }, ThrowsMessage<ConfigError>(HasSubstr("set model.vocabulary to 258")));
  base_ = base;
  replace(base_, "corpus: sample", "corpus: elsewhere");
  EXPECT_THAT([&] { plan(); }, ThrowsMessage<ConfigError>(HasSubstr("hybrid-worker data")));
}

TEST_F(Planner, ExplicitShapesMatchTheirFirstFamily) {
  replace_line(study_, "sizes:", "sizes: [20K, 34K, 58K, 100K, {name: wide, d_model: 48, layers: 3, d_ff: 136}]");
  replace_line(study_, "limits:", "limits: {}");
  const Plan p = plan();
  for (const Shape& shape : p.shapes) {
    if (shape.size != "wide") continue;
    EXPECT_EQ(shape.d_model, 48);
    if (shape.family == "transformer") {
      EXPECT_EQ(shape.d_ff, 136);
    }
    EXPECT_LE(std::abs(shape.off), 0.02) << shape.family;
  }
}

TEST_F(Planner, LayersByNameAreRejectedAtSizesOfAnotherDepth) {
  replace_line(study_, "  inter:", "  inter:       {layers: {A: [2], of: 3}}");
  replace_line(study_, "budgets:", "budgets: {flops: [8e11]}");
  replace_line(study_, "sizes:", "sizes: [12K, 58K, 100K, 130K, 160K, 180K]");  // 2 layers, then 3
  const Plan p = plan();
  size_t rejected = 0;
  for (const RejectedCell& cell : p.rejected)
    rejected += cell.reason == "its layers are those of a stack of 3, not of 2";
  EXPECT_EQ(rejected, 1u);
  EXPECT_EQ(run(p, "inter", "100K", 8e11).model->config.model.stack[1].name, "A");
  replace_line(study_, "sizes:", "sizes: [12K, 20K, 34K, 100K]");
  EXPECT_THAT([&] { plan(); }, ThrowsMessage<ConfigError>(HasSubstr("12K: its layers are those of a stack of 3")));
}

TEST_F(Planner, ARatioThatASizeCannotHoldIsARejectedCell) {
  replace_line(study_, "  inter:", "  inter:       {family: inter, ratio: \"1:4\"}");
  replace_line(study_, "budgets:", "budgets: {flops: [8e11]}");
  replace_line(study_, "sizes:", "sizes: [12K, 58K, 100K, 130K, 160K, 180K]");
  replace_line(study_, "limits:", "limits: {}");
  const Plan p = plan();
  ASSERT_EQ(p.rejected.size(), 1u);
  EXPECT_THAT(p.rejected[0].reason, HasSubstr("1:4 leaves no layer of 2 to A"));
}

TEST_F(Planner, StripedWindowedAttentionIsAFamilyLikeAnyOther) {
  replace(base_, "    M: {kind",
          "    W: {kind: attention, heads: 2, kv_heads: 1, head_dim: 16, window: 32, sinks: 4}\n    M: {kind");
  replace_line(study_, "  inter:", "  inter:       {family: inter, ratio: \"1:2\", expensive: A, cheap: W}");
  const PlannedRun r = run(plan(), "inter", "100K", 8e11);
  EXPECT_EQ(
      r.model->config.model.stack[0].name + r.model->config.model.stack[1].name + r.model->config.model.stack[2].name,
      "WAW");
  EXPECT_THAT(r.model->config.model.stack[0].mixer->to_yaml(), HasSubstr("window: 32, sinks: 4"));
}

TEST_F(Planner, SizesWithTheBasesWidthsTakeItsBlocksAsTheyStandAndNeedNoFour) {
  replace_line(study_, "  mamba:", "  mamba:       {layers: {A: [1, 4], of: 5}}");
  replace_line(study_, "sizes:", "sizes: [{name: given, widths: base}]");
  replace_line(study_, "budgets:", "budgets: {flops: [1e12]}");
  replace_line(study_, "limits:", "limits: {}");
  const Plan p = plan();
  ASSERT_EQ(p.runs.size(), 4u);
  for (const Shape& shape : p.shapes) EXPECT_EQ(shape.d_ff, 64) << shape.family;
  const spec::ModelConfig& model = run(p, "mamba", "given", 1e12).model->config.model;
  EXPECT_EQ(model.stack.size(), 5u);
  EXPECT_EQ(model.d_model, 32);
  EXPECT_THAT(model.stack[1].mixer->to_yaml(), HasSubstr("d_ssm: 64, head_dim: 32"));
}

TEST_F(Planner, TextAndJsonTellTheSamePlan) {
  const Plan p = plan();
  const auto json = nlohmann::json::parse(plan_json(p));
  ASSERT_EQ(json.at("runs").size(), p.runs.size());
  EXPECT_EQ(json.at("runs")[0].at("run_id"), p.runs[0].run_id);
  EXPECT_EQ(json.at("rejected").size(), p.rejected.size());
  const std::string text = plan_text(p);
  for (const PlannedRun& r : p.runs) EXPECT_THAT(text, HasSubstr(r.run_id.substr(0, 12)));
  EXPECT_THAT(text, HasSubstr("fewer than 300"));
}

TEST_F(Planner, TenThousandCellsKeepTheirIdsApart) {
  replace_line(study_, "sizes:", "sizes: [100K, 200K, 500K, 1M, 2M, 5M, 10M, 20M, 50M, 100M]");
  replace_line(study_, "budgets:", "budgets: {flops: [1e14, 2e14, 4e14, 1e15, 2e15, 4e15, 1e16, 2e16, 4e16, 1e17]}");
  replace_line(study_, "limits:", "limits: {}");
  std::string seeds = "seeds: [0";
  for (int seed = 1; seed < 25; ++seed) seeds += ", " + std::to_string(seed);
  replace_line(study_, "seeds:", seeds + "]");
  const Plan p = plan();
  EXPECT_EQ(p.runs.size() + p.rejected.size(), 10000u);
  std::set<std::string> ids;
  for (const PlannedRun& r : p.runs) EXPECT_TRUE(ids.insert(r.run_id).second);
}

}  // namespace hyscale::studies
