#include <gmock/gmock.h>

#include "core/base/error.h"
#include "tests/studies/study_fixture.h"

namespace hyscale::studies {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class StudySpecFile : public StudyFixture {
 protected:
  std::string message() {
    try {
      read();
    } catch (const ConfigError& e) {
      return e.what();
    }
    return "";
  }
};

TEST_F(StudySpecFile, ReadsEveryKeyOfTheDesign) {
  study_ = R"(format: hyscale.study/1
study: hybrids-vs-parents
questions:
  - {ask: "better?", compare: [intra_1to5, transformer], metric: validation_loss, at: {flops: 1e16},
     difference: 0.01, confidence: 0.95}
base: base.yaml
families:
  transformer: {stack: A}
  windowed: {stack: A, set: {model.mixers.A.window: 128, model.mixers.A.sinks: 4}}
  intra_1to5: {family: intra, ratio: "1:5", placement: scatter}
sizes: [0.5M, 1M, {name: wide, d_model: 128, layers: 3}]
budgets: {flops: [3e14, 1e15]}
seeds: {default: [0], 0.5M: [0, 1, 2]}
learning_rate: {at: 1M, value: 3e-3, exponent: -0.25, sweep: {scale: [0.5, 1, 2], for: [1M]}}
batch: {tokens: 8192}
schedule: {kind: trapezoid, warmup: 0.25, cooldown: 0.2, branch: true}
limits: {tokens_per_parameter: [1, 500], epochs: 4, steps: [300, 1e6]}
evaluate: [validation, position, needle]
resources: {device: cuda, gpus: 1, tp: 1, runs_per_gpu: 4, time: "02:00:00"}
slurm: {partition: gpu, account: lab, throttle: {runs: 64, gpus: 32}}
)";
  const StudySpec spec = read();
  EXPECT_EQ(spec.name, "hybrids-vs-parents");
  EXPECT_EQ(spec.base, store_ + "/base.yaml");
  EXPECT_EQ(spec.questions[0].at_flops, 1e16);
  EXPECT_THAT(spec.families[1].set, ElementsAre("model.mixers.A.window=128", "model.mixers.A.sinks=4"));
  EXPECT_THAT(spec.families[2].stack.ratio, ElementsAre(1, 5));
  EXPECT_EQ(spec.sizes[0].target, 5e5);
  EXPECT_EQ(spec.sizes[2].layers, 3);
  EXPECT_THAT(spec.seeds_of_size.at("0.5M"), ElementsAre(0, 1, 2));
  EXPECT_THAT(spec.learning_rate.sweep_scale, ElementsAre(0.5, 1, 2));
  EXPECT_EQ(spec.resources.time, "02:00:00");
  EXPECT_EQ(spec.slurm->throttle_gpus, 32);
}

TEST_F(StudySpecFile, ReadsAxesRulesAndModes) {
  replace(study_, "seeds: [0]", R"(compare: equal_tokens
contexts: [128, 256]
axes: {train.optimizer.weight_decay: [0.1, 0.01], train.optimizer.betas: [[0.9, 0.95], [0.9, 0.99]]}
include:
  - {family: [mamba, inter], size: 12K, context: 128}
exclude:
  - {budget: 3e11, seed: 0, axes: {train.optimizer.weight_decay: 0.01, train.optimizer.betas: [0.9, 0.99]}}
seeds: [0])");
  replace(study_, "{tokens: 512}", "{at: 100K, value: 2K, exponent: 0.5, max: 64K}");
  replace(study_, "max: 6e-3}", "max: 6e-3, sweep: {scale: [0.5, 1], for: [20K], carry: true}}");
  replace(study_, "threads: 1", "threads: 1, memory: 64 GiB, gpu_kind: H200, price_per_gpu_hour: 2.5");
  const StudySpec spec = read();
  EXPECT_EQ(spec.compare, Compare::equal_tokens);
  EXPECT_THAT(spec.contexts, ElementsAre(128, 256));
  ASSERT_EQ(spec.axes.size(), 2u);
  EXPECT_THAT(spec.axes[1].values, ElementsAre("[0.9, 0.95]", "[0.9, 0.99]"));
  EXPECT_THAT(spec.include[0].families, ElementsAre("mamba", "inter"));
  EXPECT_THAT(spec.include[0].contexts, ElementsAre(128));
  EXPECT_THAT(spec.exclude[0].budgets, ElementsAre(3e11));
  EXPECT_THAT(spec.exclude[0].axes[1].values, ElementsAre("[0.9, 0.99]"));
  EXPECT_EQ(spec.batch.at(4e5, 512), 4096);
  EXPECT_EQ(spec.batch.at(1e9, 512), 64000 / 512 * 512);
  EXPECT_TRUE(spec.learning_rate.carry);
  EXPECT_EQ(spec.resources.memory, 64 * 1073741824.0);
  EXPECT_EQ(spec.resources.gpu_kind, "H200");
}

TEST_F(StudySpecFile, ASettingHasOneOwner) {
  replace(study_, "{stack: A}", "{stack: A, set: {train.optimizer.clip: 2}}");
  replace(study_, "seeds: [0]", "axes: {train.optimizer.clip: [1, 0.5]}");
  EXPECT_THAT(message(), HasSubstr("axes sets train.optimizer.clip, which family transformer sets, too"));
}

TEST_F(StudySpecFile, ASplitIsAttentionsShareOfAHybridBlock) {
  replace(study_, "placement: scatter", "placement: sandwich, split: \"2:1\"");
  const FamilySpec family = read().families[3];
  EXPECT_DOUBLE_EQ(family.attention_share, 2.0 / 3);
  EXPECT_EQ(family.stack.placement, spec::Placement::sandwich);
}

TEST_F(StudySpecFile, ReportsEveryMistakeAtItsPlace) {
  replace(study_, "placement: middle", "placement: centre");
  replace(study_, "ratio: \"1:2\"", "ratio: \"1/2\"");
  replace_line(study_, "budgets:", "budgts: {flops: [1e11]}");
  replace(study_, "compare: [intra, transformer]", "compare: [intra, transformr]");
  replace(study_, "cooldown: 0.2", "cooldown: 1.2");
  const std::string text = message();
  EXPECT_THAT(text, HasSubstr("study.yaml:"));
  EXPECT_THAT(text, AllOf(HasSubstr("families.inter.placement = 'centre' is not known"), HasSubstr("is no ratio")));
  EXPECT_THAT(text, HasSubstr("did you mean 'budgets'?"));
  EXPECT_THAT(text, HasSubstr("compares 'transformr', which is no family"));
  EXPECT_THAT(text, HasSubstr("schedule.cooldown = 1.2 must be at most"));
}

TEST_F(StudySpecFile, RefusesWhatEachRuleForbids) {
  const struct {
    const char *from, *to, *message;
  } cases[] = {
      {"{stack: A}", "{stack: A, set: {train.tokens: 5}}", "train.tokens is decided by budgets"},
      {"{stack: A}", "{stack: A, set: {model.mixers.A.heads: 5}}", "is decided by sizes"},
      {"{stack: A}", "{stack: A, family: inter}", "needs a stack, a family or layers, one of them"},
      {"{stack: A}", "{layers: {A: [14], of: 13}}", "families.transformer.layers.A[0] = 14 is no layer"},
      {"ratio: \"1:2\", placement: middle", "ratio: \"1:2\", layers: 3", "a family is as deep as each size"},
      {"ratio: \"1:2\", placement: scatter", "ratio: \"1:2\", split: \"0:1\"", "split = '0:1' is no ratio"},
      {"study: sample", "study: \"a; rm b\"", "is no name for a study"},
      {"{flops: [1e11, 3e11, 8e11]}", "{flops: [3e11, 1e11]}", "at least 5 % above"},
      {"{flops: [1e11, 3e11, 8e11]}", "{flops: [1e11], tokens: [1M]}", "one of them"},
      {"{flops: [1e11, 3e11, 8e11]}", "{tokens: []}", "budgets.tokens names no budget"},
      {"seeds: [0]", "contexts: [256, 256]", "context 256 is given twice"},
      {"seeds: [0]", "compare: equal_time", "compare = 'equal_time' is not known"},
      {"seeds: [0]", "axes: {train.tokens: [1, 2]}", "axes: train.tokens is decided by budgets"},
      {"seeds: [0]", "axes: {model.context: [1, 2]}", "axes: model.context is decided by contexts"},
      {"seeds: [0]", "axes: {train.optimizer.clip: [1, 1]}", "train.optimizer.clip = 1 is given twice"},
      {"seeds: [0]", "exclude: [{family: mambo}]", "exclude[0].family = mambo is no family of this study"},
      {"seeds: [0]", "include: [{size: [12K, 13K]}]", "include[0].size[1] = 13K is no size of this study"},
      {"seeds: [0]", "exclude: [{budget: 2e11}]", "exclude[0].budget = 2e11 is no budget of this study"},
      {"seeds: [0]", "exclude: [{context: 256}]", "the study gives no contexts"},
      {"seeds: [0]", "exclude: [{axes: {train.optimizer.clip: 1}}]", "train.optimizer.clip is no axis of this study"},
      {"seeds: [0]", "exclude: [{}]", "exclude[0] names nothing"},
      {"{tokens: 512}", "{tokens: 512, value: 512}", "batch needs tokens, or value and exponent, one of them"},
      {"{tokens: 512}", "{value: 512, exponent: 0.5}", "batch.at is missing"},
      {"threads: 1", "threads: 1, memory: lots", "resources.memory = 'lots' is no amount of memory"},
      {"threads: 1", "threads: 1, gpu_kind: H2000", "did you mean 'H200'?"},
      {"seeds: [0]", "seeds: [0, 0]", "seed 0 is given twice"},
      {"seeds: [0]", "seeds: {default: [0], 1M: [1]}", "unknown key 'seeds.1M'"},
      {"kind: trapezoid", "kind: cosine", "belongs to a trapezoid only"},
      {"[12K, 20K", "[12K, 12K", "size 12K is given twice"},
      {"threads: 1", "threads: 1, time: 2 hours", "is no time limit"},
      {"threads: 1", "threads: 1, time: \"02:60:00\"", "is no time limit"},
      {"evaluate: [validation]", "evaluate: [accuracy]", "use validation, position or needle"},
  };
  const std::string whole = study_;
  for (const auto& c : cases) {
    study_ = whole;
    replace(study_, c.from, c.to);
    EXPECT_THAT(message(), HasSubstr(c.message)) << c.to;
  }
}

}  // namespace hyscale::studies
