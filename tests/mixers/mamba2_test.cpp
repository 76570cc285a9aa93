#include <gtest/gtest.h>

#include "core/mixers/mamba2/mamba2_spec.h"
#include "tests/mixers/mixer_harness.h"
#include "tests/support/gradient_check.h"

namespace hyscale::tests {
namespace {

spec::Mamba2Spec small_mamba() {
  spec::Mamba2Spec spec;
  spec.d_ssm = 24;
  spec.head_dim = 6;
  spec.d_state = 5;
  spec.chunk = 8;
  return spec;
}

TEST(Mamba2, GradientsMatchCentralDifferences) {
  MixerHarness(small_mamba(), 10, {.sequences = 2, .length = 21}, DType::f64).expect_gradients_match();
}

TEST(Mamba2, GradientsMatchWithGroupsOfBAndCAndOfTheNorm) {
  spec::Mamba2Spec spec = small_mamba();
  spec.groups = 2;
  spec.norm_groups = 4;
  spec.conv = 3;
  MixerHarness(spec, 10, {.sequences = 2, .length = 21}, DType::f64).expect_gradients_match();
}

TEST(Mamba2, GradientsMatchWithTheGateAlone) {
  spec::Mamba2Spec spec = small_mamba();
  spec.gated_norm = false;
  MixerHarness(spec, 10, {.sequences = 1, .length = 21}, DType::f64).expect_gradients_match();
}

TEST(Mamba2, NoTokenSeesALaterOne) { expect_causal(small_mamba(), 10, 30, {0, 1, 7, 8, 20, 29}); }

TEST(Mamba2, SequencesDoNotSeeEachOther) {
  MixerHarness two(small_mamba(), 10, {.sequences = 2, .length = 13}, DType::f64),
      one(small_mamba(), 10, {.sequences = 1, .length = 13}, DType::f64);
  copy_values(two.x().slice(0, 13, 13), one.x());
  const Tensor both = two.forward();
  EXPECT_LT(relative_difference(both.slice(0, 13, 13), one.forward()), 1e-13);
}

TEST(Mamba2, TheChunkSizeDoesNotChangeTheResult) {
  spec::Mamba2Spec spec = small_mamba();
  MixerHarness reference(spec, 10, {.sequences = 2, .length = 50}, DType::f64);
  reference.forward_backward();
  for (const int64_t chunk : {1, 16, 50, 128}) {
    spec.chunk = chunk;
    MixerHarness other(spec, 10, {.sequences = 2, .length = 50}, DType::f64);
    other.forward_backward();
    EXPECT_LT(relative_difference(other.forward(), reference.forward()), 1e-12) << chunk;
    EXPECT_LT(relative_difference(other.parameters().gradients(), reference.parameters().gradients()), 1e-12) << chunk;
  }
}

TEST(Mamba2, ResultsAreBitEqualForAnyNumberOfThreads) {
  expect_equal_for_any_number_of_threads(small_mamba(), 10, {.sequences = 3, .length = 70});
}

TEST(Mamba2, SinglePrecisionStaysCloseToDouble) {
  expect_single_close_to_double(small_mamba(), 10, {.sequences = 2, .length = 100}, 3e-5);
}

}  // namespace
}  // namespace hyscale::tests
