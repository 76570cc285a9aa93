#include <cmath>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <numeric>

#include "core/base/error.h"
#include "core/spec/accounting.h"
#include "core/spec/split.h"
#include "tests/model/stacks.h"
#include "tests/support/thread_ranks.h"

namespace hyscale::model::tests {
namespace {

using hyscale::tests::ThreadRanks;
using ::testing::HasSubstr;

std::string hybrid(const std::string& options, const std::string& mamba = "d_ssm: 40, head_dim: 8, d_state: 4",
                   const std::string& attention = "heads: 5, kv_heads: 1, head_dim: 6, value_dim: 40") {
  return "{H: {kind: hybrid, branches: [{kind: mamba2, chunk: 4, " + mamba + "}, {kind: attention, " + attention +
         "}], " + options + "}}";
}

/// Every mixer and option, with heads for four ranks.
std::vector<Stack> wide_stacks() {
  const std::string swiglu = "{kind: swiglu, d_ff: 9}";
  const auto make = [&](const std::string& name, const std::string& mixers, const std::string& stack) {
    return Stack{name, model_config(mixers, stack, swiglu)};
  };
  const std::string attentions =
      "{D: {kind: hybrid, branches: [{kind: attention, heads: 6, kv_heads: 2, head_dim: 4, value_dim: 24}, "
      "{kind: attention, heads: 6, kv_heads: 2, head_dim: 6, value_dim: 24, rope: {theta: 100}}], "
      "norm: none, scale: diff, value: joint, output: joint}}";
  return {
      make("as_many_key_heads_as_heads", "{A: {kind: attention, heads: 5, head_dim: 4, rope: {theta: 100}}}", "AA"),
      make("one_key_head", "{A: {kind: attention, heads: 5, kv_heads: 1, head_dim: 6, window: 5, sinks: 2}}", "AA"),
      make("three_key_heads", "{A: {kind: attention, heads: 6, kv_heads: 3, head_dim: 4, value_dim: 12}}", "A"),
      make("mamba2", "{M: {kind: mamba2, d_ssm: 40, head_dim: 8, d_state: 6, chunk: 4}}", "MM"),
      make("mamba2_with_groups",
           "{M: {kind: mamba2, d_ssm: 36, head_dim: 6, d_state: 5, groups: 2, conv: 3, chunk: 4}}", "M"),
      make("mamba2_with_a_norm_group_for_each_head",
           "{M: {kind: mamba2, d_ssm: 32, head_dim: 8, d_state: 4, groups: 4, norm_groups: 4, chunk: 4}}", "M"),
      make("mamba2_with_norm_groups_across_heads",
           "{M: {kind: mamba2, d_ssm: 36, head_dim: 6, d_state: 5, norm_groups: 4, chunk: 4}}", "M"),
      make("inter_layer_hybrid",
           "{A: {kind: attention, heads: 4, head_dim: 4}, M: {kind: mamba2, d_ssm: 32, head_dim: 8, d_state: 4}}",
           "MA"),
      make("intra", hybrid("norm: group, fusion: subtract"), "HH"),
      make("intra_without_norm", hybrid("norm: none, fusion: add"), "H"),
      make("intra_per_channel", hybrid("scale: per_channel"), "H"),
      make("intra_differential", hybrid("scale: diff, lambda_init: 0.6"), "H"),
      make("intra_gated", hybrid("scale: gate, fusion: add"), "H"),
      make("intra_alpha_summed", hybrid("scale: alpha, fusion: add, output: joint"), "H"),
      make("intra_concatenation", hybrid("fusion: concat"), "H"),
      make("intra_joint_values", hybrid("value: joint, output: joint"), "HH"),
      make("intra_joint_values_and_heads_of_two_widths",
           hybrid("value: joint, output: joint", "d_ssm: 32, head_dim: 8, d_state: 4",
                  "heads: 8, kv_heads: 1, head_dim: 6, value_dim: 32"),
           "H"),
      make("differential_transformer", attentions, "DD"),
  };
}

/// Values that tell every entry of every tensor from its neighbours.
double noise(const std::string& name, int64_t entry) {
  return 0.1 * std::sin(static_cast<double>(std::hash<std::string>{}(name) % 1000) + 0.7 * static_cast<double>(entry));
}

void disturb(ParameterTable& table) {
  table.initialise(3);
  for (const Parameter& p : table.all())
    for (int64_t i = 0; i < p.spec.count(); ++i)
      p.weight.as<double>()[i / p.spec.shape.back() * p.stride + i % p.spec.shape.back()] +=
          noise(p.spec.name, p.spec.whole_index(i));
}

double entry(const Tensor& tensor, const Parameter& p, int64_t i) {
  const int64_t width = p.spec.shape.back();
  return tensor.as<double>()[p.spec.shape.size() == 2 ? i / width * p.stride + i % width : i];
}

/// Compares what one rank has with the whole model; returns what differs first.
std::string first_difference(const ParameterTable& part, const ParameterTable& whole) {
  for (const Parameter& p : part.all()) {
    const Parameter& all = whole.at(p.spec.name);
    double largest = 0;
    for (int64_t i = 0; i < all.spec.count(); ++i) largest = std::max(largest, std::abs(entry(all.gradient, all, i)));
    for (int64_t i = 0; i < p.spec.count(); ++i) {
      const int64_t at = p.spec.whole_index(i);
      if (entry(p.weight, p, i) != entry(all.weight, all, at))
        return fmt::format("{}[{}] starts otherwise", p.spec.name, at);
      const double here = entry(p.gradient, p, i), there = entry(all.gradient, all, at);
      if (!(std::abs(here - there) <= 1e-10 * largest + 1e-15))
        return fmt::format("the gradient of {}[{}] is {} and of the whole model {}", p.spec.name, at, here, there);
    }
  }
  return "";
}

class SplitModel : public ::testing::TestWithParam<Stack> {};

TEST_P(SplitModel, HasTheLossAndTheGradientsOfTheWholeOne) {
  const spec::ModelConfig& config = GetParam().config;
  const Batch batch(2, 11, config.vocabulary, 5);
  Model whole(config, DType::f64);
  disturb(whole.parameters());
  const double loss = whole.forward_backward(batch.tokens(), 0.25);
  const OwnedTensor nll(DType::f32, {2, 11});
  whole.token_nll(batch.tokens(), nll);
  for (const int tp : {2, 3, 4}) {
    spec::check_split(config, tp);
    std::vector<std::string> differences(static_cast<size_t>(tp));
    std::vector<double> losses(static_cast<size_t>(tp));
    ThreadRanks(tp).run([&](int rank, TensorGroup& group) {
      Model part(config, DType::f64, {}, host_context(), &group);
      disturb(part.parameters());
      losses[static_cast<size_t>(rank)] = part.forward_backward(batch.tokens(), 0.25);
      part.complete_gradients();
      differences[static_cast<size_t>(rank)] = first_difference(part.parameters(), whole.parameters());
      const OwnedTensor own(DType::f32, {2, 11});
      part.token_nll(batch.tokens(), own);
      for (int64_t i = 0; i < 22; ++i) EXPECT_NEAR(own.tensor().as<float>()[i], nll.tensor().as<float>()[i], 1e-5);
    });
    for (int rank = 0; rank < tp; ++rank) {
      EXPECT_NEAR(losses[static_cast<size_t>(rank)], loss, 1e-11 * loss) << tp << " ranks, rank " << rank;
      EXPECT_EQ(differences[static_cast<size_t>(rank)], "") << tp << " ranks, rank " << rank;
    }
  }
}

TEST_P(SplitModel, CountsEveryEntryOnceAndHasEach) {
  const spec::ModelConfig& config = GetParam().config;
  for (const int tp : {2, 3, 4}) {
    const auto whole = spec::parameter_list(config);
    for (size_t n = 0; n < whole.size(); ++n) {
      std::vector<int> counted(static_cast<size_t>(whole[n].count()));
      for (int rank = 0; rank < tp; ++rank) {
        const spec::ParameterSpec part = spec::parameter_list(config, {rank, tp})[n];
        EXPECT_EQ(part.name, whole[n].name);
        EXPECT_EQ(part.whole_shape(), whole[n].shape) << part.name;
        part.for_each_run([&](int64_t, int64_t at, int64_t count, bool counts) {
          for (int64_t i = at; counts && i < at + count; ++i) ++counted.at(static_cast<size_t>(i));
        });
      }
      EXPECT_THAT(counted, ::testing::Each(1)) << whole[n].name << " over " << tp;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, SplitModel, ::testing::ValuesIn(wide_stacks()),
                         [](const auto& param) { return param.param.name; });

TEST(Shares, EighteenHeadsOfOneGroupOverFourRanksDifferByOne) {
  const std::vector<spec::Interval> cuts = spec::share_heads(18, 1, 4);
  EXPECT_EQ(cuts, (std::vector<spec::Interval>{{0, 4}, {4, 5}, {9, 4}, {13, 5}}));
  const auto second = spec::head_share(18, 1, cuts, 1);
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(second->copied);
  EXPECT_FALSE(second->counts);
  EXPECT_FALSE(spec::head_share(18, 9, {{0, 3}, {3, 15}}, 0).has_value()) << "a group and a half";
}

std::string refusal(const spec::ModelConfig& config, int64_t tp) {
  try {
    spec::check_split(config, tp);
  } catch (const ConfigError& e) {
    std::string all;
    for (const Problem& problem : e.problems()) all += problem.what + " (" + problem.remedy + ")\n";
    return all;
  }
  return "";
}

TEST(ASplitThatNoShardingServes, IsRefusedWithEveryReasonAtOnce) {
  const auto config = model_config(
      "{A: {kind: attention, heads: 2, head_dim: 6}, M: {kind: mamba2, d_ssm: 24, head_dim: 8, d_state: 4}}", "AMA",
      "{kind: swiglu, d_ff: 3}");
  EXPECT_EQ(refusal(config, 2), "");
  const std::string four = refusal(config, 4);
  EXPECT_THAT(four, HasSubstr("mixer A: attention has 2 heads (use --tp 2 or fewer)"));
  EXPECT_THAT(four, HasSubstr("mixer M: mamba2 has 3 heads"));
  EXPECT_THAT(four, HasSubstr("d_ff is 3"));
  EXPECT_THAT(refusal(config, 64), HasSubstr("the vocabulary has 17 tokens"));
  EXPECT_THAT(refusal(config, int64_t{1} << 40), HasSubstr("--tp 1099511627776"));
}

TEST(ASplitThatNoShardingServes, IsOneOfValuesThatAreAddedUpAtHeadsWithoutCommonBoundaries) {
  const auto config = model_config(hybrid("output: joint, fusion: add", "d_ssm: 36, head_dim: 9, d_state: 4",
                                          "heads: 9, kv_heads: 3, head_dim: 6, value_dim: 36"),
                                   "H", "{kind: none}");
  EXPECT_THAT(refusal(config, 2),
              HasSubstr("9 and 4 channels wide, have no common boundaries where 2 ranks could meet"));
}

}  // namespace
}  // namespace hyscale::model::tests
