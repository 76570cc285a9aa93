#include "core/mixers/hybrid/hybrid_spec.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <set>

#include "core/base/error.h"
#include "core/spec/accounting.h"
#include "tests/spec/run_text.h"

namespace hyscale::spec {

using testing::ElementsAre;
using testing::HasSubstr;

static constexpr const char* kEnd = "value_dim: 64}]}";  // of block H in kRunText: Mamba 64 wide, attention too

static std::string with_options(const std::string& options) {
  return with(with(kRunText, "MMAWMH", "H"), kEnd, "value_dim: 64}], " + options + "}");
}

static std::vector<std::string> names(const std::string& options) {
  std::vector<std::string> list;
  for (const ParameterSpec& p : parse_run_config(with_options(options), "").model.stack[0].mixer->parameters(64)) {
    std::string shape;
    for (const int64_t extent : p.shape) shape += fmt::format(" {}", extent);
    list.push_back(p.name + shape + (p.decay ? "" : " -") + (p.writes_residual ? " >" : ""));
  }
  return list;
}

TEST(HybridSpec, ParametersAreThoseOfTheOptions) {
  const std::vector<std::string> mamba{"branches.0.in.weight 164 64", "branches.0.conv.weight 96 4",
                                       "branches.0.conv.bias 96 -",   "branches.0.dt_bias 4 -",
                                       "branches.0.a_log 4 -",        "branches.0.d 4 -"};
  const auto behind = [&](std::vector<std::string> rest) {
    std::vector<std::string> all = mamba;
    all.insert(all.end(), rest.begin(), rest.end());
    return all;
  };
  EXPECT_EQ(names("norm: none"),
            behind({"branches.0.out.weight 64 64 >", "branches.1.qkv.weight 80 64", "branches.1.out.weight 64 64 >"}));
  EXPECT_EQ(names("norm: none, scale: diff, output: joint"),
            behind({"branches.1.qkv.weight 80 64", "lambda 4 16 -", "out.weight 64 64 >"}));
  EXPECT_EQ(
      names("norm: none, scale: per_channel, fusion: concat"),
      behind({"branches.0.scale 64 -", "branches.1.qkv.weight 80 64", "branches.1.scale 64 -", "out.weight 64 128 >"}));
  EXPECT_EQ(names("norm: none, scale: gate, output: joint"),
            behind({"branches.1.qkv.weight 80 64", "gate.weight 2 64", "out.weight 64 64 >"}));
  EXPECT_EQ(names("norm: none, scale: alpha, output: joint"),
            behind({"branches.1.qkv.weight 80 64", "alpha.weight 1 64", "out.weight 64 64 >"}));
  EXPECT_EQ(names("norm: none, value: joint").front(), "branches.0.in.weight 100 64") << "no rows for x";
}

TEST(HybridSpec, TheSecondOfTwoAttentionBranchesHasNoValuesOfItsOwnWhenTheyAreJoint) {
  const std::string branch = "{kind: attention, heads: 4, kv_heads: 2, head_dim: 8, value_dim: 64}";
  const std::string text = with(with(kRunText, "MMAWMH", "D"), "  stack:",
                                "    D: {kind: hybrid, branches: [" + branch + ", " + branch +
                                    "], norm: none, scale: diff, value: joint}\n"
                                    "  stack:");
  const auto list = parse_run_config(text, "").model.stack[0].mixer->parameters(64);
  EXPECT_THAT(list[0].shape, ElementsAre(32 + 16 + 32, 64));
  EXPECT_THAT(list[2].shape, ElementsAre(32 + 16, 64));
}

TEST(HybridSpec, EveryCombinationReadsBackAndCountsWhatItAllocates) {
  const CorpusIdentity corpus{"c", "t"};
  std::set<std::string> ids;
  for (const std::string& norm : kHybridNorms)
    for (const std::string& scale : kHybridScales)
      for (const std::string& fusion : kHybridFusions)
        for (const std::string& value : kHybridValues)
          for (const std::string& output : kHybridOutputs) {
            if (fusion == "concat" && output == "separate") continue;
            const std::string options = fmt::format("norm: {}, scale: {}, fusion: {}, value: {}, output: {}", norm,
                                                    scale, fusion, value, output);
            const RunConfig config = parse_run_config(with_options(options), "run.yaml");
            EXPECT_EQ(canonical_form(parse_run_config(to_yaml(config), "written"), corpus),
                      canonical_form(config, corpus));
            EXPECT_TRUE(ids.insert(run_id(config, corpus)).second) << options;
            int64_t allocated = 0, matrices = 0;
            for (const ParameterSpec& p : config.model.stack[0].mixer->parameters(64)) {
              allocated += p.count();
              const bool small = p.name == "branches.0.conv.weight" || p.name == "lambda";
              if (p.shape.size() == 2 && !small) matrices += p.count();
            }
            EXPECT_EQ(account(config.model).layers[0].mixer_parameters, allocated) << options;
            // the paper's convention: the taps over x and the scan's numbers, but no norms and biases
            EXPECT_EQ(config.model.stack[0].mixer->paper_parameters(64), matrices + 64 * 4 + 2 * 4) << options;
          }
}

// A block whose branches are `kinds`, 'M' or 'T', as alike as joint values and sums ask.
static std::string block_text(const std::string& kinds, const std::string& options) {
  const auto branch = [](char kind) {
    return kind == 'M' ? std::string("{kind: mamba2, d_ssm: 64, head_dim: 16, d_state: 16}")
                       : std::string("{kind: attention, heads: 2, kv_heads: 1, head_dim: 16, value_dim: 64}");
  };
  return "{kind: hybrid, branches: [" + branch(kinds[0]) + ", " + branch(kinds[1]) + "], " + options + "}";
}

TEST(HybridSpec, EverySizeAndSplitOfABlockIsABlockThatRunYamlWouldAllow) {
  const std::vector<std::string> sums{"fusion: add, output: separate", "fusion: add, output: joint", "fusion: concat"};
  for (const std::string kinds : {"MT", "TM", "TT", "MM"})
    for (const std::string& sum : sums)
      for (const std::string& value : kHybridValues) {
        if (kinds == "MM" && value == "joint") continue;
        const std::string text =
            with(with(kRunText, "MMAWMH", "B"),
                 "  stack:", "    B: " + block_text(kinds, sum + ", value: " + value) + "\n  stack:");
        const RunConfig small = parse_run_config(text, "small");
        for (const double share : {0.5, 2.0 / 3, 1.0 / 3, 10.0 / 11, 1.0 / 11})
          for (const int64_t d_model : {64, 384, 2048}) {
            RunConfig scaled = small;
            scaled.model.d_model = d_model;
            scaled.model.stack[0].mixer = small.model.stack[0].mixer->at_scale({.d_model = d_model,
                                                                                .attention_head_dim = 16,
                                                                                .heads_per_kv_head = 4,
                                                                                .ssm_head_dim = 32,
                                                                                .d_state = 64,
                                                                                .attention_share = share});
            EXPECT_NO_THROW(parse_run_config(to_yaml(scaled), "scaled")) << to_yaml(scaled);
          }
      }
}

static std::string message_of(const std::string& text) {
  try {
    parse_run_config(text, "run.yaml");
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "nothing";
}

TEST(HybridSpec, NamesWhatCannotBeBuiltAllAtOnce) {
  const std::string all = message_of(
      with(with_options("fusion: concat, output: separate, lambda_init: 0.5, value: joint"), "d_ssm: 64", "d_ssm: 96"));
  EXPECT_THAT(all, HasSubstr("run.yaml:11:"));
  EXPECT_THAT(all, HasSubstr("output: separate does not go with fusion: concat"));
  EXPECT_THAT(all, HasSubstr("lambda_init belongs to scale: diff"));
  EXPECT_THAT(all, HasSubstr("value: joint, but d_ssm = 96 and value_dim = 64"));
  EXPECT_THAT(all, HasSubstr("use d_ssm: 64, or value_dim: 96"));
  EXPECT_THAT(message_of(with(with_options("output: joint"), "d_ssm: 64", "d_ssm: 96")),
              HasSubstr("the branches' values have 96 and 64 channels"));
  EXPECT_THAT(message_of(with_options("scale: vector")), HasSubstr("scale = 'vector' is not known"));
  EXPECT_THAT(message_of(with_options("fusoin: add")), HasSubstr("did you mean 'fusion'?"));
  const std::string mamba = "{kind: mamba2, d_ssm: 64, head_dim: 16, d_state: 16}";
  const std::string twins = "    T: {kind: hybrid, branches: [" + mamba + ", " + mamba + "], value: joint}\n  stack:";
  EXPECT_THAT(message_of(with(kRunText, "  stack:", twins)), HasSubstr("value: joint needs an attention branch"));
  const std::string nested = "    T: {kind: hybrid, branches: [" + mamba + ", {kind: hybrid}]}\n  stack:";
  EXPECT_THAT(message_of(with(kRunText, "  stack:", nested)), HasSubstr("branches[1]"));
}

}  // namespace hyscale::spec
