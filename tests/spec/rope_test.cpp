#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/mixers/attention/attention_spec.h"
#include "core/mixers/attention/rope_spec.h"
#include "core/spec/run_config.h"
#include "tests/spec/run_text.h"

namespace hyscale::spec {

using Kind = RopeExtension::Kind;
using Numbers = std::vector<double>;

// The numbers come from the functions of transformers 5.23 (modeling_rope_utils), their fp32 replaced by fp64.
static void expect_frequencies(const Rope& rope, int64_t head_dim, const RopeExtension& extension, double amplitude,
                               const Numbers& wanted) {
  const RopeFrequencies found = rope_frequencies(rope, head_dim, extension);
  EXPECT_NEAR(found.amplitude, amplitude, 1e-12);
  ASSERT_EQ(found.radians.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(found.radians[i], wanted[i], 1e-12 * wanted[i]) << i;
}

TEST(Rope, Llama3ScalingIsThatOfTransformers) {
  expect_frequencies({.theta = 500000, .scaling = Llama3Scaling{.factor = 32}}, 64, {}, 1.0,
                     Numbers{1,
                             0.66360123769608848,
                             0.44036660267178046,
                             0.29222782257301511,
                             0.19392274474868576,
                             0.12868737343265052,
                             0.085397100285765609,
                             0.056669621445291044,
                             0.037606030930863933,
                             0.024955408670558694,
                             0.016560440080994446,
                             0.010989528534539826,
                             0.0072926647372171085,
                             0.0048394213457198928,
                             0.0032114459947525913,
                             0.0012905479282092638,
                             0.00042955679655936815,
                             9.7082878026276702e-05,
                             1.9461638184831125e-05,
                             1.2914767187047391e-05,
                             8.5702554898814781e-06,
                             5.6872321504570457e-06,
                             3.7740542941082826e-06,
                             2.5044671007024935e-06,
                             1.6619674677953091e-06,
                             1.102883668639601e-06,
                             7.3187496754404192e-07,
                             4.8567313430101075e-07,
                             3.2229329303788936e-07,
                             2.1387422816109151e-07,
                             1.4192720251899592e-07,
                             9.4183067254349087e-08});
  expect_frequencies(
      {.theta = 500000,
       .fraction = 0.5,
       .scaling = Llama3Scaling{.factor = 8, .low_freq_factor = 1.5, .high_freq_factor = 6, .original_context = 1000}},
      48, {}, 1.0,
      Numbers{1, 0.33503164750652631, 0.11224620483093732, 0.037497704658048664, 0.0028126289963699212,
              0.00052764178134303945, 0.00017677669529663688, 5.9225787465991431e-05, 1.9842513149602502e-05,
              6.6478698711812362e-06, 2.227246795350847e-06, 7.4619816325002608e-07});
}

TEST(Rope, PositionInterpolationIsThatOfTransformers) {
  expect_frequencies(
      {.theta = 10000}, 16, {.kind = Kind::linear, .factor = 4}, 1.0,
      Numbers{0.25, 0.079056941504209485, 0.025000000000000001, 0.0079056941504209478, 0.0025000000000000001,
              0.00079056941504209474, 0.00025000000000000001, 7.9056941504209485e-05});
}

TEST(Rope, NtkAwareInterpolationIsThatOfTransformers) {
  expect_frequencies({.theta = 10000}, 16, {.kind = Kind::ntk, .factor = 3}, 1.0,
                     Numbers{1, 0.27029612569240363, 0.073059995564323646, 0.019747833744140873, 0.0053377629518589912,
                             0.001442776645751933, 0.00038997693758622897, 0.00010540925533894597});
}

TEST(Rope, YarnIsThatOfTransformers) {
  expect_frequencies({.theta = 10000}, 64, {.kind = Kind::yarn, .factor = 4, .trained_context = 4096},
                     1.138629436111989,
                     Numbers{1,
                             0.74989420933245587,
                             0.56234132519034907,
                             0.42169650342858228,
                             0.31622776601683794,
                             0.23713737056616555,
                             0.17782794100389226,
                             0.1333521432163324,
                             0.10000000000000001,
                             0.074989420933245579,
                             0.056234132519034905,
                             0.039736785900001015,
                             0.02797399468610489,
                             0.019609436412202148,
                             0.013679072384914791,
                             0.009488517882700576,
                             0.0065384615384615381,
                             0.0044705231710204102,
                             0.0030279917510249565,
                             0.002027387035714338,
                             0.0013378867023789293,
                             0.00086646346937637397,
                             0.00054716289539659163,
                             0.00033338035804083102,
                             0.00025000000000000001,
                             0.00018747355233311394,
                             0.00014058533129758727,
                             0.00010542412585714557,
                             7.9056941504209485e-05,
                             5.9284342641541385e-05,
                             4.4456985250973067e-05,
                             3.3338035804083099e-05});
  expect_frequencies({.theta = 100}, 16, {.kind = Kind::yarn, .factor = 2, .trained_context = 256}, 1.0693147180559945,
                     Numbers{1, 0.52217408767675266, 0.27105237087157541, 0.13972195364591533, 0.071428571428571438,
                             0.036150513762236727, 0.018070158058105024, 0.0088913970501946146});
  expect_frequencies(
      {.theta = 500000, .fraction = 0.5}, 48, {.kind = Kind::yarn, .factor = 2.5, .trained_context = 2048},
      1.0916290731874154,
      Numbers{1, 0.33503164750652631, 0.11224620483093732, 0.031965126291234346, 0.0088194473492641135,
              0.0023216238379093739, 0.00056568542494923792, 0.00018952251989117259, 6.3496042078728011e-05,
              2.1273183587779955e-05, 7.1271897451227119e-06, 2.3878341224000835e-06});
}

TEST(Rope, WithoutScalingFrequenciesFallGeometrically) {
  const RopeFrequencies found = rope_frequencies({.theta = 10000}, 8);
  EXPECT_THAT(found.radians,
              ::testing::ElementsAre(1, std::pow(10000, -0.25), std::pow(10000, -0.5), std::pow(10000, -0.75)));
  EXPECT_EQ(found.amplitude, 1);
}

TEST(Rope, AFractionIsCutToAWholeNumberOfPairs) {
  EXPECT_EQ((Rope{.fraction = 0.5}.channels(64)), 32);
  EXPECT_EQ((Rope{.fraction = 0.5}.channels(6)), 2);
  EXPECT_EQ((Rope{.fraction = 0.7}.channels(10)), 6);
  EXPECT_EQ((Rope{.fraction = 1}.channels(10)), 10);
  EXPECT_EQ((Rope{.fraction = 0.9}.channels(5)), 4);
}

TEST(Rope, AnExtensionByOneChangesNothing) {
  const Rope rope{.theta = 500000, .scaling = Llama3Scaling{.factor = 8}};
  for (const Kind kind : {Kind::linear, Kind::ntk, Kind::yarn})
    expect_frequencies(rope, 64, {.kind = kind, .factor = 1, .trained_context = 8192}, 1,
                       rope_frequencies(rope, 64).radians);
}

TEST(Rope, AnExtensionStaysANumberWhereItsRampHasNoPlace) {
  for (const int64_t context : {1, 5, 1'000'000'000})
    for (const double theta : {1.0, 10.0, 1e12})
      for (const int64_t head_dim : {2, 4})
        for (const Kind kind : {Kind::ntk, Kind::yarn}) {
          const RopeExtension extension{.kind = kind, .factor = 2, .trained_context = context};
          for (const double f : rope_frequencies({.theta = theta}, head_dim, extension).radians)
            EXPECT_TRUE(std::isfinite(f) && f > 0) << context << " " << theta << " " << head_dim;
        }
}

TEST(Rope, AnExtensionReadsBackAsItIsWritten) {
  for (const char* text : {"none", "linear:2", "ntk:4", "yarn:2.5"})
    EXPECT_EQ(to_string(parse_rope_extension(text)), text);
  for (const char* text : {"", "yarn", "yarn:", "yarn:0.5", "yarn:x", "dynamic:2", "none:2", "linear:nan"})
    EXPECT_THROW(parse_rope_extension(text), ConfigError) << text;
}

TEST(Rope, FractionAndScalingSurviveAnotherSize) {
  const std::string text =
      with(kRunText, "theta: 10000", "theta: 10000, fraction: 0.5, scaling: {kind: llama3, factor: 32}");
  const RunConfig config = parse_run_config(text, "run.yaml");
  const MixerScale scale{
      .d_model = 128, .attention_head_dim = 32, .heads_per_kv_head = 2, .ssm_head_dim = 32, .d_state = 16};
  const auto larger = config.model.stack[2].mixer->at_scale(scale);
  const auto& attention = dynamic_cast<const AttentionSpec&>(*larger);
  EXPECT_EQ(attention.rope->fraction, 0.5);
  EXPECT_EQ(attention.rope->scaling->factor, 32);
  EXPECT_EQ(attention.rope->channels(attention.head_dim), 16);
}

}  // namespace hyscale::spec
