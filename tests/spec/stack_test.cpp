#include "core/spec/stack.h"

#include <gmock/gmock.h>

#include "core/spec/run_config.h"
#include "tests/spec/run_text.h"

namespace hyscale::spec {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Placement, SpreadsEvenlyWhereThePaperDoes) {
  EXPECT_THAT(positions(13, 2, Placement::scatter), ElementsAre(5, 9));
  EXPECT_THAT(positions(13, 3, Placement::scatter), ElementsAre(4, 7, 11));
  EXPECT_THAT(positions(11, 2, Placement::middle), ElementsAre(4, 8));
  EXPECT_THAT(positions(11, 3, Placement::middle), ElementsAre(3, 6, 9));
  EXPECT_THAT(positions(13, 1, Placement::middle), ElementsAre(7));
}

TEST(Placement, FrontAndEndMoveOneLayerOfTheSpread) {
  EXPECT_THAT(positions(11, 3, Placement::front), ElementsAre(1, 6, 9));
  EXPECT_THAT(positions(11, 3, Placement::end), ElementsAre(3, 6, 11));
  EXPECT_THAT(positions(11, 2, Placement::end), ElementsAre(4, 11));
}

TEST(Placement, ClusterAndSandwichAreThePapersSetsOf13Layers) {
  EXPECT_THAT(positions(13, 2, Placement::cluster), ElementsAre(9, 10));
  EXPECT_THAT(positions(13, 3, Placement::cluster), ElementsAre(9, 10, 11));
  EXPECT_THAT(positions(13, 7, Placement::cluster), ElementsAre(5, 6, 7, 8, 9, 10, 11));
  EXPECT_THAT(positions(13, 2, Placement::sandwich), ElementsAre(1, 13));
  EXPECT_THAT(positions(13, 3, Placement::sandwich), ElementsAre(1, 7, 13));
  EXPECT_THAT(positions(13, 7, Placement::sandwich), ElementsAre(1, 2, 6, 7, 8, 12, 13));
}

TEST(Placement, PositionsAreDistinctAndInsideTheStack) {
  for (int64_t layers = 1; layers <= 40; ++layers)
    for (int64_t count = 1; count <= layers; ++count)
      for (size_t p = 0; p < placement_names().size(); ++p) {
        const auto list = positions(layers, count, static_cast<Placement>(p));
        ASSERT_EQ(static_cast<int64_t>(list.size()), count) << placement_names()[p];
        ASSERT_GE(list.front(), 1) << placement_names()[p];
        ASSERT_LE(list.back(), layers) << placement_names()[p];
        for (size_t i = 1; i < list.size(); ++i)
          ASSERT_LT(list[i - 1], list[i]) << placement_names()[p] << layers << " " << count;
      }
}

TEST(Placement, ARatioComesOutInThePapersLayers) {
  EXPECT_EQ(expensive_layers(13, {1, 5}), 2);
  EXPECT_EQ(expensive_layers(13, {1, 3}), 3);
  EXPECT_EQ(expensive_layers(13, {1, 12}), 1);
  EXPECT_EQ(expensive_layers(11, {1, 1}), 6);
  EXPECT_EQ(expensive_layers(22, {1, 5}), 4);
  EXPECT_EQ(expensive_layers(13, {1, 0}), 13);
  EXPECT_EQ(expensive_layers(13, {0, 1}), 0);
}

TEST(StackLayout, APatternIsRepeatedToTheDepth) {
  EXPECT_THAT(lay_out({.pattern = "MMA"}, 5).mixers, ElementsAre("M", "M", "A", "M", "M"));
}

TEST(StackLayout, LayersByNameFitTheirDepthAlone) {
  const StackRule rule{.kind = StackRule::Kind::layers, .named = {{"A", {1}}, {"W", {2, 3}}}, .depth = 4};
  EXPECT_THAT(lay_out(rule, 4).mixers, ElementsAre("A", "W", "W", "M"));
  EXPECT_THAT(lay_out(rule, 5).problem, HasSubstr("a stack of 4, not of 5"));
}

TEST(StackLayout, ARatioThatRoundsToNothingIsRefused) {
  StackRule rule{.kind = StackRule::Kind::family, .ratio = {1, 12}};
  EXPECT_THAT(lay_out(rule, 4).problem, HasSubstr("1:12 leaves no layer of 4 to A"));
  EXPECT_THAT(lay_out(rule, 4).remedy, HasSubstr("use 7 layers or more"));
  rule.ratio = {5, 1};
  EXPECT_THAT(lay_out(rule, 2).problem, HasSubstr("5:1 leaves no layer of 2 to M"));
  rule.ratio = {0, 1};
  EXPECT_THAT(lay_out(rule, 2).mixers, ElementsAre("M", "M"));
}

static std::string stack_of(const std::string& stack) {
  std::string text;
  for (const BlockConfig& block : parse_run_config(with(kRunText, "MMAWMH", stack), "run.yaml").model.stack)
    text += block.name;
  return text;
}

static std::string refusal_of(const std::string& stack) {
  try {
    stack_of(stack);
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "";
}

TEST(StackInRunYaml, EverySpellingExpandsToItsLayers) {
  EXPECT_EQ(stack_of("{family: inter, ratio: \"1:5\", placement: middle, layers: 13}"), "MMMMAMMMAMMMM");
  EXPECT_EQ(stack_of("{family: intra, ratio: 1:3, placement: cluster, layers: 13}"), "MMMMMMMMHHHMM");
  EXPECT_EQ(stack_of("{family: inter, ratio: 1:1, expensive: A, cheap: W, placement: end, layers: 4}"), "WAWA");
  EXPECT_EQ(stack_of("{layers: {A: [4, 8], of: 13}}"), "MMMAMMMAMMMMM");
  EXPECT_EQ(stack_of("{layers: {A: [1], H: [2, 3], of: 5}, rest: W}"), "AHHWW");
}

TEST(StackInRunYaml, TheSpellingDoesNotEnterTheRunId) {
  const auto id = [](const std::string& stack) {
    return run_id(parse_run_config(with(kRunText, "MMAWMH", stack), "run.yaml"), {"c", "t"});
  };
  EXPECT_EQ(id("{layers: {A: [2], of: 3}}"), id("MAM"));
  EXPECT_EQ(id("{family: inter, ratio: 1:2, layers: 3}"), id("[M, A, M]"));
}

TEST(StackInRunYaml, EveryMistakeIsNamedWithPlaceAndRemedy) {
  const struct {
    const char *stack, *message;
  } cases[] = {
      {"{family: inter, ratio: 1:12, layers: 4}", "model.stack.ratio: 1:12 leaves no layer of 4 to A"},
      {"{family: inter, ratio: 0:0, layers: 4}", "model.stack.ratio = '0:0' is no ratio"},
      {"{family: inter, ratio: 1/2, layers: 4}", "write two numbers from 0 to 1000, not both 0"},
      {"{family: inter, layers: 4}", "model.stack.ratio is missing"},
      {"{family: inter, ratio: 1:2}", "model.stack.layers is missing"},
      {"{family: extra, ratio: 1:2, layers: 4}", "model.stack.family = 'extra' is not known"},
      {"{family: inter, ratio: 1:2, layers: 4, placement: midle}", "did you mean 'middle'?"},
      {"{family: inter, ratio: 1:2, layers: 4, expensive: X}", "model.stack.expensive = 'X' is not named"},
      {"{layers: {A: [2]}}", "model.stack.layers does not say of how many layers"},
      {"{layers: {A: [0], of: 4}}", "model.stack.layers.A[0] = 0 is no layer"},
      {"{layers: {A: [2, 5], of: 4}}", "layers count from 1 to 4"},
      {"{layers: {A: [2, 2], of: 4}}", "model.stack.layers.A[1]: layer 2 is there twice"},
      {"{layers: {A: [2], W: [1, 2], of: 4}}", "layer 2 belongs to A already"},
      {"{layers: {X: [2], of: 4}}", "'X' is not named under model.mixers"},
      {"{layers: {A: [2], of: 4}, rest: Y}", "model.stack.rest = 'Y' is not named"},
      {"{layers: {of: 4}}", "names no mixer"},
      {"{layer: {A: [2], of: 4}}", "names neither a family nor layers"},
      {"MXM", "    MXM\n     ^"},
  };
  for (const auto& c : cases)
    EXPECT_THAT(refusal_of(c.stack), AllOf(HasSubstr(c.message), HasSubstr("run.yaml:"))) << c.stack;
}

TEST(StackInRunYaml, SeveralMistakesAreReportedAtOnceInTheirColumns) {
  const std::string text = refusal_of("{layers: {A: [9, 2, 2], Q: [1], of: 4}, rest: Y}");
  EXPECT_THAT(text, AllOf(HasSubstr("run.yaml:12:24"), HasSubstr("A[0] = 9 is no layer"), HasSubstr("twice"),
                          HasSubstr("'Q'"), HasSubstr("'Y'")));
}

}  // namespace hyscale::spec
