#include <cstdlib>
#include <gmock/gmock.h>
#include <set>

#include <nlohmann/json.hpp>

#include "core/base/files.h"
#include "core/spec/run_config.h"
#include "tests/spec/run_text.h"

namespace hyscale::spec {

static const CorpusIdentity kCorpus{std::string(64, 'a'), std::string(64, 'b')};

static std::string id_of(const std::string& text) { return run_id(parse_run_config(text, "run.yaml"), kCorpus); }

// Results are kept under their ids: golden/run_id.txt changes only together with kSemanticsVersion.
TEST(RunId, OfTheExampleIsWhatItHasAlwaysBeen) {
  const char* source = std::getenv("HYSCALE_SOURCE_DIR");
  const std::string golden =
      read_file(std::string(source ? source : ".") + "/tests/spec/golden/run_id.txt");  // canonical form, then its id
  const std::string form = canonical_form(parse_run_config(kRunText, "run.yaml"), kCorpus);
  EXPECT_EQ(form + "\n" + id_of(kRunText) + "\n", golden);
}

TEST(RunId, StandsOnAFormWithSortedKeys) {
  const std::string text = with(kRunText, "context: 256", "context: 256\n  norm_epsilon: 1e-6");
  const std::string form = canonical_form(parse_run_config(text, "run.yaml"), kCorpus);
  EXPECT_EQ(nlohmann::json::parse(form).dump(), form);
}

TEST(RunId, IsKeptWhenAMixerIsRenamed) {
  std::string text = with(kRunText, "    M: {kind", "    S: {kind");
  text = with(text, "MMAWMH", "SSAWSH");
  EXPECT_EQ(id_of(text), id_of(kRunText));
}

TEST(RunId, IsOneForAPatternAndItsList) {
  EXPECT_EQ(id_of(with(kRunText, "MMAWMH", "[M, M, {mixer: A}, W, M, {mixer: H, ffn: {kind: swiglu, d_ff: 176}}]")),
            id_of(kRunText));
}

TEST(RunId, IsOneForEverySpellingOfANumber) {
  const std::string thousand = id_of(with(kRunText, "tokens: 51200", "tokens: 64000000"));
  EXPECT_EQ(id_of(with(kRunText, "tokens: 51200", "tokens: 64M")), thousand);
  EXPECT_EQ(id_of(with(kRunText, "tokens: 51200", "tokens: 64000K")), thousand);
  EXPECT_EQ(id_of(with(kRunText, "tokens: 51200", "tokens: 6.4e7")), thousand);
  EXPECT_EQ(id_of(with(kRunText, "lr: 3e-3", "lr: 0.0030")), id_of(kRunText));
}

TEST(RunId, IsKeptWhenADefaultIsWrittenOut) {
  EXPECT_EQ(id_of(with(kRunText, "d_ssm: 128,", "d_ssm: 128, groups: 1, conv: 4, chunk: 128, a_init: [0.01, 2],")),
            id_of(kRunText));
  EXPECT_EQ(id_of(with(kRunText, "lr: 3e-3", "lr: 3e-3, betas: [0.9, 0.95], clip: 1, weight_decay: 0.1")),
            id_of(kRunText));
}

TEST(RunId, StandsForTheCorpusByItsHashAndNotItsName) {
  EXPECT_EQ(id_of(with(kRunText, "corpus: tiny", "corpus: other")), id_of(kRunText));
  const RunConfig config = parse_run_config(kRunText, "run.yaml");
  EXPECT_NE(run_id(config, {std::string(64, 'c'), kCorpus.tokenizer_sha256}), run_id(config, kCorpus));
  EXPECT_NE(run_id(config, {kCorpus.corpus_sha256, std::string(64, 'c')}), run_id(config, kCorpus));
}

TEST(RunId, OfAMixtureStandsForHashesAndWeights) {
  const RunConfig config = parse_run_config(kRunText, "run.yaml");
  const auto mixed = [](double weight) {
    return CorpusIdentity{
        "", std::string(64, 'b'), {{std::string(64, 'a'), weight}, {std::string(64, 'c'), 1 - weight}}};
  };
  const std::string form = canonical_form(config, mixed(0.5));
  EXPECT_EQ(nlohmann::json::parse(form).dump(), form);
  EXPECT_EQ(nlohmann::json::parse(form)["data"]["mixture"][0]["corpus_sha256"], std::string(64, 'a'));
  EXPECT_FALSE(nlohmann::json::parse(form)["data"].contains("corpus_sha256"));
  EXPECT_EQ(run_id(config, mixed(0.5)), run_id(config, mixed(0.5)));
  EXPECT_NE(run_id(config, mixed(0.5)), run_id(config, mixed(0.25)));
  EXPECT_NE(run_id(config, mixed(0.5)), run_id(config, kCorpus));
}

TEST(RunId, ChangesWithEveryFieldThatChangesAResult) {
  const struct {
    const char *from, *to;
  } changes[] = {
      {"vocabulary: 258", "vocabulary: 259"},
      {"context: 256", "context: 128"},
      {"context: 256", "context: 256\n  norm_epsilon: 1e-6"},
      {"d_model: 64", "d_model: 80"},
      {"heads: 4", "heads: 8"},
      {"kv_heads: 2", "kv_heads: 4"},
      {"head_dim: 16", "head_dim: 32"},
      {"theta: 10000", "theta: 500000"},
      {"rope: {theta: 10000}", "rope: none"},
      {"rope: {theta: 10000}", "rope: {theta: 10000, fraction: 0.5}"},
      {"rope: {theta: 10000}", "rope: {theta: 10000, scaling: {kind: llama3, factor: 8}}"},
      {"rope: {theta: 10000}", "rope: {theta: 10000, scaling: {kind: llama3, factor: 4}}"},
      {"rope: {theta: 10000}", "rope: {theta: 10000, scaling: {kind: llama3, factor: 8, low_freq_factor: 2}}"},
      {"rope: {theta: 10000}", "rope: {theta: 10000, scaling: {kind: llama3, factor: 8, high_freq_factor: 5}}"},
      {"rope: {theta: 10000}", "rope: {theta: 10000, scaling: {kind: llama3, factor: 8, original_context: 64}}"},
      {"rope: {theta: 10000}", "value_dim: 32, rope: {theta: 10000}"},
      {"window: 32", "window: 33"},
      {"sinks: 4", "sinks: 5"},
      {"d_ssm: 128", "d_ssm: 64"},
      {"d_ssm: 128, head_dim: 16", "d_ssm: 128, head_dim: 32"},
      {"d_state: 16}\n", "d_state: 32}\n"},
      {"d_state: 16}\n", "d_state: 16, groups: 2}\n"},
      {"d_state: 16}\n", "d_state: 16, conv: 3}\n"},
      {"d_state: 16}\n", "d_state: 16, chunk: 64}\n"},
      {"d_state: 16}\n", "d_state: 16, norm_groups: 2}\n"},
      {"d_state: 16}\n", "d_state: 16, a_init: [1, 16]}\n"},
      {"d_state: 16}\n", "d_state: 16, dt_init: [1e-2, 1e-1]}\n"},
      {"value_dim: 64}]}", "value_dim: 64}], norm: none}"},
      {"value_dim: 64}]}", "value_dim: 64}], fusion: add}"},
      {"stack: MMAWMH", "stack: MAMWMH"},
      {"d_ff: 176", "d_ff: 168"},
      {"{kind: swiglu, d_ff: 176}", "{kind: none}"},
      {"seed: 3", "seed: 4"},
      {"seed: 3", "seed: 3, cross_document: false"},
      {"tokens: 51200", "tokens: 102400"},
      {"batch_tokens: 512", "batch_tokens: 1024"},
      {"lr: 3e-3", "lr: 2e-3"},
      {"lr: 3e-3", "lr: 3e-3, betas: [0.9, 0.99]"},
      {"lr: 3e-3", "lr: 3e-3, epsilon: 1e-7"},
      {"lr: 3e-3", "lr: 3e-3, weight_decay: 0"},
      {"lr: 3e-3", "lr: 3e-3, clip: 0"},
      {"warmup_tokens: 5120", "warmup_tokens: 5632"},
      {"cooldown_tokens: 10240", "cooldown_tokens: 5120"},
      {"kind: trapezoid, warmup_tokens: 5120, cooldown_tokens: 10240", "kind: cosine, warmup_tokens: 5120"},
      {"kind: trapezoid, warmup_tokens: 5120, cooldown_tokens: 10240", "kind: constant, warmup_tokens: 5120"},
      {"  schedule:", "  precision: bf16\n  schedule:"},
      {"  schedule:", "  precision: fp8\n  schedule:"},
      {"  schedule:", "  seed: 1\n  schedule:"},
  };
  std::set<std::string> ids{id_of(kRunText)};
  for (const auto& change : changes)
    EXPECT_TRUE(ids.insert(id_of(with(kRunText, change.from, change.to))).second) << change.to;
}

}  // namespace hyscale::spec
