#include "exchange/homes.h"

#include <gmock/gmock.h>

#include "core/base/error.h"
#include "exchange/tensor_links.h"
#include "tests/exchange/exchange_fixture.h"

namespace hyscale::exchange {
namespace {

using namespace tests;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Homes : public testing::Test {
 protected:
  std::string home_name(const std::vector<std::string>& mixers, const std::string& stack, const std::string& ffn) {
    const std::string path = scratch_.write("run.yaml", run_yaml(mixers, stack, ffn));
    try {
      return rules_of(home_of(spec::load_run_config(path).model, path)).class_name;
    } catch (const ConfigError& e) {
      return e.what();
    }
  }
  hyscale::tests::ScratchDirectory scratch_;
};

TEST_F(Homes, AreFoundForEveryKindOfStackThatHasOne) {
  const std::string a = "A: " + kAttention, m = "M: " + kMamba2, n = "N: " + kNoPositions;
  EXPECT_EQ(home_name({a}, "AA", kSwiglu), "LlamaForCausalLM");
  EXPECT_EQ(home_name({m}, "MM", kNone), "Mamba2ForCausalLM");
  EXPECT_EQ(home_name({m}, "MM", kSwiglu), "BambaForCausalLM");
  EXPECT_EQ(home_name({a, m}, "MAM", kSwiglu), "BambaForCausalLM");
  EXPECT_EQ(
      home_name({"A: {kind: attention, heads: 4, head_dim: 8, rope: {theta: 100, fraction: 0.5}}"}, "AA", kSwiglu),
      "BambaForCausalLM");
  EXPECT_EQ(home_name({n, m}, "MNM", kSwiglu), "GraniteMoeHybridForCausalLM");
  EXPECT_EQ(home_name({"H: " + hybrid("norm: none, fusion: add")}, "HH", kSwiglu), "FalconH1ForCausalLM");
  EXPECT_EQ(home_name({"H: " + hybrid("norm: none, fusion: subtract", kAttention, kMamba2)}, "H", kSwiglu),
            "FalconH1ForCausalLM");
}

TEST_F(Homes, ThatAreMissingAreExplainedWithAllReasonsAtTheirPlaces) {
  const std::string wide = "{kind: attention, heads: 4, head_dim: 8, value_dim: 64, rope: none}";
  const std::string refused =
      home_name({"H: " + hybrid("norm: group, scale: gate, fusion: subtract", kMamba2, wide)}, "HH", kNone);
  EXPECT_THAT(refused,
              AllOf(HasSubstr("FalconH1ForCausalLM has no norm of each branch: H has norm: group"),
                    HasSubstr("H has scale: gate"), HasSubstr("values as wide as queries"), HasSubstr("rope none"),
                    HasSubstr("feed-forward layer behind every mixer: 2 of 2 layers"), Not(HasSubstr("Llama"))));
  EXPECT_THAT(refused, AllOf(HasSubstr("run.yaml:8:"), HasSubstr("run.yaml:10:"), HasSubstr("norm: none")));
}

TEST_F(Homes, HaveOneShapeOfEachMixer) {
  const std::string other = "B: {kind: attention, heads: 2, head_dim: 8, rope: {theta: 10000}}";
  EXPECT_THAT(home_name({"A: " + kAttention, other}, "AB", kSwiglu),
              AllOf(HasSubstr("one shape of attention for all layers"), HasSubstr("run.yaml:9:")));
  EXPECT_THAT(home_name({"A: " + kAttention},
                        "[{mixer: A, ffn: {kind: swiglu, d_ff: 8}}, {mixer: A, ffn: {kind: swiglu, d_ff: 16}}]", kNone),
              HasSubstr("one width of feed-forward layers: here are 8, 16"));
}

TEST_F(Homes, RefuseWhatTheyHaveNoPlaceFor) {
  const auto attention = [&](const std::string& options) {
    return home_name({"A: {kind: attention, " + options + "}"}, "A", kSwiglu);
  };
  EXPECT_THAT(attention("heads: 4, head_dim: 8, rope: {theta: 100}, window: 8"), HasSubstr("A has window 8"));
  EXPECT_EQ(attention("heads: 5, head_dim: 8, rope: {theta: 100}"), "BambaForCausalLM");  // Llama wants 5 to divide 24
  const auto mamba2 = [&](const std::string& options, const std::string& ffn) {
    return home_name({"M: {kind: mamba2, " + options + "}"}, "M", ffn);
  };
  EXPECT_THAT(mamba2("d_ssm: 32, head_dim: 8, d_state: 8", kNone),
              HasSubstr("whole multiple of d_model = 24: M has 32"));
  EXPECT_THAT(mamba2("d_ssm: 48, head_dim: 8, d_state: 8, groups: 2", kNone), HasSubstr("norm_groups: 2"));
  EXPECT_THAT(home_name({"A: " + kAttention, "H: " + hybrid("norm: none, fusion: add")}, "AAH", kSwiglu),
              HasSubstr("block H is hybrid"));
}

// Every number of every parameter is in some tensor: a class that forgot one would lose it silently.
TEST_F(Homes, TakeEveryNumberOfTheModelExactlyOnce) {
  const std::string a = "A: " + kAttention, m = "M: " + kMamba2, n = "N: " + kNoPositions;
  const std::vector<std::pair<std::string, std::string>> stacks = {
      {run_yaml({a}, "AA", kSwiglu), "llama"},
      {run_yaml({m}, "MM", kNone), "mamba2"},
      {run_yaml({a, m}, "MAM", kSwiglu), "bamba"},
      {run_yaml({n, m}, "MNM", kSwiglu), "granitemoehybrid"},
      {run_yaml({"H: " + hybrid("norm: none, fusion: subtract")}, "HH", kSwiglu), "falcon_h1"},
      {run_yaml({"H: " + hybrid("norm: none, fusion: concat, output: joint")}, "HH", kSwiglu), "falcon_h1"}};
  for (const auto& [yaml, type] : stacks) {
    const spec::ModelConfig model = spec::parse_run_config(yaml, "test").model;
    const Home home = home_of(model, scratch_.write("run.yaml", yaml));
    EXPECT_EQ(rules_of(home).model_type, type);
    std::map<std::string, std::vector<int>> taken;
    for (const spec::ParameterSpec& parameter : spec::parameter_list(model))
      taken[parameter.name].resize(static_cast<size_t>(parameter.count()));
    for (const TensorLink& link : tensor_links(home, model))
      for (int64_t r = 0; r < link.rows; ++r)
        for (int64_t c = 0; c < link.columns; ++c)
          ++taken.at(link.ours).at(static_cast<size_t>((link.row + r) * link.width + link.column + c));
    for (const auto& [name, counts] : taken) EXPECT_THAT(counts, testing::Each(1)) << type << " " << name;
  }
}

}  // namespace
}  // namespace hyscale::exchange
