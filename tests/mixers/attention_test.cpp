#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/base/yaml_reader.h"
#include "core/mixers/attention/attention_spec.h"
#include "tests/mixers/mixer_harness.h"
#include "tests/support/gradient_check.h"

namespace hyscale::tests {
namespace {

constexpr int64_t kWidth = 12;  // d_model

/// Reads `{kind: attention, …}` as a run.yaml would have it.
std::shared_ptr<const spec::MixerSpec> attention(const std::string& options) {
  Problems problems;
  const std::string text = fmt::format("mixer: {{kind: attention, {}}}", options);
  const auto mixer = spec::parse_mixer(YamlMap::parse(text, "test", problems).map("mixer"), kWidth);
  problems.throw_if_any();
  return mixer;
}

class EveryAttention : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(EveryAttention, GradientsMatchCentralDifferences) {
  MixerHarness(*attention(GetParam().second), kWidth, {.sequences = 2, .length = 19}, DType::f64)
      .expect_gradients_match();
}

TEST_P(EveryAttention, NoTokenSeesALaterOne) {
  expect_causal(*attention(GetParam().second), kWidth, 20, {0, 7, 8, 19});
}

TEST_P(EveryAttention, ResultsAreBitEqualForAnyNumberOfThreads) {
  expect_equal_for_any_number_of_threads(*attention(GetParam().second), kWidth, {.sequences = 3, .length = 70});
}

TEST_P(EveryAttention, SinglePrecisionStaysCloseToDouble) {
  expect_single_close_to_double(*attention(GetParam().second), kWidth, {.sequences = 2, .length = 60}, 3e-5);
}

INSTANTIATE_TEST_SUITE_P(
    Mixers, EveryAttention,
    ::testing::Values(
        std::pair{"NoPositions", "heads: 3, head_dim: 4"},
        std::pair{"GroupedHeads", "heads: 4, kv_heads: 2, head_dim: 6, rope: {theta: 100}"},
        std::pair{"WideValues", "heads: 2, kv_heads: 1, head_dim: 4, value_dim: 20, rope: {theta: 100}"},
        std::pair{"NarrowValues", "heads: 2, head_dim: 10, value_dim: 6, rope: {theta: 100}"},
        std::pair{"PartOfAHead", "heads: 2, head_dim: 8, rope: {theta: 100, fraction: 0.5}"},
        std::pair{
            "ScaledFrequencies",
            "heads: 2, head_dim: 6, rope: {theta: 100, scaling: {kind: llama3, factor: 8, original_context: 24}}"},
        std::pair{"Window", "heads: 2, head_dim: 6, rope: {theta: 100}, window: 5"},
        std::pair{"WindowAndSinks", "heads: 2, kv_heads: 1, head_dim: 6, window: 5, sinks: 3"}),
    [](const auto& param) { return std::string(param.param.first); });

TEST(Attention, WithoutPositionsOrderDoesNotMatterToTheLastToken) {
  // NoPE over a set of keys: two earlier tokens change places and the last row stays; with rope it does not
  for (const bool rope : {false, true}) {
    const auto spec = attention(rope ? "heads: 2, head_dim: 6, rope: {theta: 100}" : "heads: 2, head_dim: 6");
    MixerHarness before(*spec, kWidth, {.sequences = 1, .length = 9}, DType::f64),
        after(*spec, kWidth, {.sequences = 1, .length = 9}, DType::f64);
    copy_values(before.x().slice(0, 2, 1), after.x().slice(0, 5, 1));
    copy_values(before.x().slice(0, 5, 1), after.x().slice(0, 2, 1));
    const double moved = relative_difference(before.forward().slice(0, 8, 1), after.forward().slice(0, 8, 1));
    if (rope) {
      EXPECT_GT(moved, 1e-3);
    } else {
      EXPECT_LT(moved, 1e-12);
    }
  }
}

}  // namespace
}  // namespace hyscale::tests
