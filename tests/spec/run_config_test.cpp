#include "core/spec/run_config.h"

#include <gmock/gmock.h>

#include "core/base/error.h"
#include "core/mixers/attention/attention_spec.h"
#include "core/mixers/hybrid/hybrid_spec.h"
#include "core/mixers/mamba2/mamba2_spec.h"
#include "tests/spec/run_text.h"

namespace hyscale::spec {

using testing::AllOf;
using testing::HasSubstr;
using testing::SizeIs;

static std::vector<Problem> problems_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    parse_run_config(text, "run.yaml", overrides);
  } catch (const ConfigError& e) {
    return e.problems();
  }
  return {};
}

static std::string message_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
  std::string message;
  for (const Problem& problem : problems_of(text, overrides)) message += to_string(problem) + "\n";
  return message;
}

TEST(RunConfig, ReadsEveryMixerOfAPattern) {
  const RunConfig config = parse_run_config(kRunText, "run.yaml");
  ASSERT_THAT(config.model.stack, SizeIs(6));
  const auto* window = dynamic_cast<const AttentionSpec*>(config.model.stack[3].mixer.get());
  ASSERT_TRUE(window);
  EXPECT_EQ(window->window, 32);
  EXPECT_EQ(window->sinks, 4);
  EXPECT_FALSE(window->rope.has_value());
  const auto* mamba = dynamic_cast<const Mamba2Spec*>(config.model.stack[0].mixer.get());
  ASSERT_TRUE(mamba);
  EXPECT_EQ(mamba->heads(), 8);
  const auto* hybrid = dynamic_cast<const HybridSpec*>(config.model.stack[5].mixer.get());
  ASSERT_TRUE(hybrid);
  EXPECT_EQ(hybrid->branches[1]->kind(), "attention");
  EXPECT_EQ(config.model.stack[5].ffn->d_ff, 176);
  EXPECT_EQ(config.train.steps(), 100);
}

TEST(RunConfig, AWrongSymbolIsMarkedUnderThePattern) {
  EXPECT_THAT(message_of(with(kRunText, "MMAWMH", "MMXWMH")),
              AllOf(HasSubstr("run.yaml:12:10"), HasSubstr("    MMXWMH\n      ^\n")));
}

TEST(RunConfig, AListMayGiveEveryLayerItsOwnFeedForward) {
  const RunConfig config =
      parse_run_config(with(kRunText, "stack: MMAWMH",
                            "stack: [M, {mixer: A, ffn: {kind: none}}, {mixer: M, ffn: {kind: swiglu, d_ff: 8}}]"),
                       "run.yaml");
  ASSERT_THAT(config.model.stack, SizeIs(3));
  EXPECT_EQ(config.model.stack[0].ffn->d_ff, 176);
  EXPECT_FALSE(config.model.stack[1].ffn.has_value());
  EXPECT_EQ(config.model.stack[2].ffn->d_ff, 8);
}

TEST(RunConfig, AllProblemsAreReportedAtOnce) {
  std::string text = with(kRunText, "d_ssm: 128", "d_ssm: 120");
  text = with(text, "kv_heads: 2", "kv_heads: 3");
  text = with(text, "tokens: 51200", "tokens: 51201");
  text = with(text, "batch_tokens: 512", "batch_tokens: 500");
  text = with(text, "cooldown_tokens", "cool_down_tokens");
  text = with(text, "seed: 3", "cross_document: perhaps");
  const std::string message = message_of(text);
  EXPECT_THAT(message, HasSubstr("model.mixers.M.d_ssm = 120 is not a multiple of head_dim = 16"));
  EXPECT_THAT(message, HasSubstr("use 112 or 128"));
  EXPECT_THAT(message, HasSubstr("model.mixers.A.heads = 4 is not a multiple of kv_heads = 3"));
  EXPECT_THAT(message, HasSubstr("train.tokens = 51201 is not a multiple of train.batch_tokens = 500"));
  EXPECT_THAT(message, HasSubstr("train.batch_tokens = 500 is not a multiple of model.context = 256"));
  EXPECT_THAT(message, HasSubstr("did you mean 'cooldown_tokens'?"));
  EXPECT_THAT(message, HasSubstr("data.cross_document should be"));
}

TEST(RunConfig, RefusesWhatEachRuleForbids) {
  const struct {
    const char *from, *to, *message;
  } cases[] = {
      {"cooldown_tokens: 10240", "cooldown_tokens: 10000",
       "cooldown_tokens = 10000 is not a multiple of train.batch_tokens"},
      {"warmup_tokens: 5120", "warmup_tokens: 46080", "exceed train.tokens = 51200"},
      {"kind: trapezoid", "kind: cosine", "belongs to a trapezoid only"},
      {"window: 32, sinks: 4", "sinks: 4", "sinks is given without a window"},
      {"kv_heads: 2, head_dim: 16, rope", "kv_heads: 2, head_dim: 15, rope", "head_dim = 15 is odd"},
      {"theta: 10000", "theta: 10000, fraction: 0.1", "fraction = 0.1 of head_dim = 16 leaves no pair"},
      {"theta: 10000", "theta: 10000, fraction: 1.5", "rope.fraction = 1.5 must be"},
      {"theta: 10000", "theta: 10000, scaling: {kind: llama3}", "rope.scaling.factor is missing"},
      {"theta: 10000", "theta: 10000, scaling: {kind: llama4, factor: 8}", "did you mean 'llama3'?"},
      {"theta: 10000", "theta: 10000, scaling: {kind: llama3, factor: 8, low_freq_factor: 4}",
       "high_freq_factor = 4 is not above low_freq_factor = 4"},
      {"theta: 10000", "theta: 10000, scaling: 8", "rope.scaling should be none or {kind: llama3, factor: …}"},
      {"d_state: 16}\n    H", "d_state: 16, conv: 9}\n    H", "M.conv = 9 must be"},
      {"d_state: 16}\n    H", "d_state: 16, chunk: 0}\n    H", "M.chunk = 0 must be"},
      {"d_state: 16}\n    H", "d_state: 16, norm_groups: 3}\n    H",
       "d_ssm = 128 is not a multiple of norm_groups = 3"},
      {"d_state: 16}\n    H", "d_state: 16, a_init: [2, 1]}\n    H", "M.a_init starts above its end"},
      {"d_state: 16}\n    H", "d_state: 16, a_init: 2}\n    H", "M.a_init should be a list"},
      {"d_state: 16}\n    H", "d_state: 16, dt_init: [0, 0.1]}\n    H", "M.dt_init[0] = 0 must be"},
      {"d_state: 16}\n    H", "d_state: 16, dt_init: [1, 2, 3]}\n    H", "M.dt_init has 3 numbers"},
      {"d_state: 16}\n    H", "d_state: 16, groups: 3}\n    H", "does not divide the 8 heads"},
      {"value_dim: 64}]}", "value_dim: 63}]}", "value_dim = 63 is not a multiple of heads = 2"},
      {"kind: mamba2, d_ssm: 128", "kind: mamba3, d_ssm: 128", "did you mean 'mamba2'?"},
      {"lr: 3e-3", "lr: fast", "should be a number, not 'fast'"},
      {"stack: MMAWMH", "stack: []", "model.stack has 0 layers"},
      {"schedule:", "precision: fp16\n  schedule:", "train.precision = 'fp16' is not known"},
      {"  ffn: {kind: swiglu, d_ff: 176}\n", "", "model.ffn is missing"},
      {"format: hyscale.run/1", "format: hyscale.run/9", "hyscale.run/1"},
      {"corpus: tiny", "mixture: []", "data.mixture is empty"},
      {"corpus: tiny", "corpus: tiny, mixture: [{corpus: a, weight: 1}]", "two ways to say what to read"},
      {"corpus: tiny", "mixture: [{corpus: a, weight: 0}, {corpus: b}]", "data.mixture[0].weight = 0 must be"},
      {"corpus: tiny", "mixture: [{corpus: a, weight: 1}, {corpus: b}]", "data.mixture[1].weight is missing"},
      {"corpus: tiny", "mixture: [{corpus: a, weight: 1}, {corpus: a, weight: 2}]", "corpus a is there twice"},
  };
  for (const auto& c : cases) EXPECT_THAT(message_of(with(kRunText, c.from, c.to)), HasSubstr(c.message)) << c.to;
}

TEST(RunConfig, AnOverrideReplacesAValueOfTheFile) {
  const RunConfig config = parse_run_config(
      kRunText, "run.yaml",
      {"train.tokens=102400", "model.mixers.H.branches.1.value_dim=128", "train.optimizer.betas=[0.8, 0.9]"});
  EXPECT_EQ(config.train.tokens, 102400);
  EXPECT_EQ(config.train.optimizer.betas[1], 0.9);
  const auto& hybrid = dynamic_cast<const HybridSpec&>(*config.model.stack[5].mixer);
  EXPECT_EQ(dynamic_cast<const AttentionSpec&>(*hybrid.branches[1]).value_dim, 128);
}

TEST(RunConfig, AWrongOverrideIsNamedAsSuch) {
  EXPECT_THAT(message_of(kRunText, {"trian.tokens=5"}),
              AllOf(HasSubstr("--set trian.tokens=5: there is no 'trian'"), HasSubstr("did you mean 'train'?")));
  EXPECT_THAT(message_of(kRunText, {"train.tokns=5"}),
              AllOf(HasSubstr("--set train.tokns=5: unknown key"), HasSubstr("did you mean 'tokens'?")));
  EXPECT_THAT(message_of(kRunText, {"train.tokens=five"}),
              HasSubstr("--set train.tokens=five: train.tokens should be"));
  EXPECT_THAT(message_of(kRunText, {"train.tokens"}), HasSubstr("an override needs a path and a value"));
  EXPECT_THAT(message_of(kRunText, {"model.mixers.H.branches.2.heads=1"}), HasSubstr("there is no '2'"));
}

TEST(RunConfig, AMixtureReadsBackAsItWasWrittenAndOneOfASingleCorpusIsThatCorpus) {
  const std::string text =
      with(kRunText, "corpus: tiny", "mixture: [{corpus: a/b, weight: 7}, {corpus: c, weight: 3}]");
  const RunConfig again = parse_run_config(to_yaml(parse_run_config(text, "run.yaml")), "written");
  ASSERT_THAT(again.data.mixture, SizeIs(2));
  EXPECT_EQ(again.data.mixture[0].corpus, "a/b");
  EXPECT_EQ(again.data.mixture[0].weight, 7);
  EXPECT_EQ(again.data.shares()[0].weight, 0.7);
  EXPECT_EQ(again.data.seed, 3);
  const std::string one = with(kRunText, "corpus: tiny", "mixture: [{corpus: tiny, weight: 7}]");
  EXPECT_EQ(parse_run_config(one, "run.yaml").data.corpus, "tiny");
}

TEST(RunConfig, WhatIsWrittenReadsBackToTheSameId) {
  const CorpusIdentity corpus{"c", "t"};
  for (const std::string& text :
       {kRunText, with(kRunText, "stack: MMAWMH", "stack: [M, {mixer: A, ffn: {kind: none}}]"),
        with(kRunText, "theta: 10000", "theta: 10000, fraction: 0.5, scaling: {kind: llama3, factor: 32}"),
        with(kRunText, "value_dim: 64}]}", "value_dim: 64}], norm: none, fusion: add}")}) {
    const RunConfig config = parse_run_config(text, "run.yaml");
    const RunConfig again = parse_run_config(to_yaml(config), "written");
    EXPECT_EQ(canonical_form(again, corpus), canonical_form(config, corpus));
    EXPECT_EQ(again.data.corpus, "tiny");
  }
}

}  // namespace hyscale::spec
