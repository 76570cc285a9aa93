#include <gtest/gtest.h>

#include "core/mixers/hybrid/hybrid_spec.h"
#include "tests/mixers/mixer_harness.h"
#include "tests/support/gradient_check.h"

namespace hyscale::tests {
namespace {

using spec::HybridFusion;
using spec::HybridNorm;

/// The paper's layer in small: Mamba first, attention with a value of its own width second.
spec::HybridSpec small_hybrid(HybridNorm norm, HybridFusion fusion) {
  auto mamba = std::make_shared<spec::Mamba2Spec>();
  mamba->d_ssm = 12;
  mamba->head_dim = 4;
  mamba->d_state = 3;
  mamba->chunk = 8;
  mamba->gated_norm = norm == HybridNorm::group;
  auto attention = std::make_shared<spec::AttentionSpec>();
  attention->heads = 2;
  attention->kv_heads = 1;
  attention->head_dim = 4;
  attention->value_dim = 12;
  attention->rope = spec::Rope{};
  spec::HybridSpec spec;
  spec.branches = {mamba, attention};
  spec.norm = norm;
  spec.fusion = fusion;
  return spec;
}

TEST(Hybrid, GradientsMatchCentralDifferencesForEveryNormAndFusion) {
  for (const HybridNorm norm : {HybridNorm::none, HybridNorm::group})
    for (const HybridFusion fusion : {HybridFusion::add, HybridFusion::subtract})
      MixerHarness(small_hybrid(norm, fusion), 8, {.sequences = 2, .length = 19}, DType::f64).expect_gradients_match();
}

TEST(Hybrid, TwoMambaBranchesWithGroupsHaveTheRightGradients) {
  spec::HybridSpec spec = small_hybrid(HybridNorm::group, HybridFusion::subtract);
  auto other = std::make_shared<spec::Mamba2Spec>(dynamic_cast<const spec::Mamba2Spec&>(*spec.branches[0]));
  other->groups = 3;
  other->norm_groups = 2;
  spec.branches[1] = other;
  MixerHarness(spec, 8, {.sequences = 2, .length = 19}, DType::f64).expect_gradients_match();
}

/// Output of a hybrid whose branch `silent` projects to nothing.
std::vector<double> with_silent_branch(HybridFusion fusion, int silent) {
  MixerHarness mixer(small_hybrid(HybridNorm::group, fusion), 8, {.sequences = 1, .length = 9}, DType::f64);
  const Tensor weight = mixer.parameters().at("branches." + std::to_string(silent) + ".out.weight").weight;
  copy_values(filled_tensor(DType::f64, weight.shape(), 0), weight);
  return values_of(mixer.forward());
}

TEST(Hybrid, SubtractIsTheFirstBranchMinusTheSecond) {
  const auto first = with_silent_branch(HybridFusion::add, 1), second = with_silent_branch(HybridFusion::add, 0);
  for (const auto& [fusion, sign] : {std::pair{HybridFusion::add, 1.0}, std::pair{HybridFusion::subtract, -1.0}}) {
    MixerHarness mixer(small_hybrid(HybridNorm::group, fusion), 8, {.sequences = 1, .length = 9}, DType::f64);
    const auto out = values_of(mixer.forward());
    for (size_t i = 0; i < out.size(); ++i) EXPECT_NEAR(out[i], first[i] + sign * second[i], 1e-13);
  }
}

TEST(Hybrid, NoTokenSeesALaterOne) {
  expect_causal(small_hybrid(HybridNorm::group, HybridFusion::subtract), 8, 20, {0, 7, 8, 19});
}

TEST(Hybrid, ResultsAreBitEqualForAnyNumberOfThreads) {
  expect_equal_for_any_number_of_threads(small_hybrid(HybridNorm::group, HybridFusion::subtract), 8,
                                         {.sequences = 3, .length = 70});
}

TEST(Hybrid, SinglePrecisionStaysCloseToDouble) {
  expect_single_close_to_double(small_hybrid(HybridNorm::group, HybridFusion::subtract), 8,
                                {.sequences = 2, .length = 60}, 3e-5);
}

}  // namespace
}  // namespace hyscale::tests
