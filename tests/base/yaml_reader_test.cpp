#include "core/base/yaml_reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hyscale {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> said(const Problems& problems) {
  std::vector<std::string> lines;
  for (const Problem& problem : problems.list()) lines.push_back(to_string(problem));
  return lines;
}

TEST(YamlReader, ReadsNumbersAsPeopleWriteThem) {
  Problems problems;
  YamlMap map = YamlMap::parse("a: 64K\nb: 3e14\nc: 1.5M\nd: 0.25\ne: 20054016\n", "f.yaml", problems);
  EXPECT_EQ(map.required<int64_t>("a"), 64000);
  EXPECT_EQ(map.required<double>("b"), 3e14);
  EXPECT_EQ(map.required<int64_t>("c"), 1500000);
  EXPECT_EQ(map.required<double>("d"), 0.25);
  EXPECT_EQ(map.required<int64_t>("e"), 20054016);
  EXPECT_TRUE(problems.empty());
}

TEST(YamlReader, CollectsEveryProblemWithItsPlaceAndGoesOn) {
  Problems problems;
  YamlMap root = YamlMap::parse("model:\n  d_model: many\n  contxt: 512\n  layers: 2.5\n", "run.yaml", problems);
  YamlMap model = root.map("model");
  EXPECT_EQ(model.optional<int64_t>("d_model", 64), 64);
  EXPECT_EQ(model.optional<int64_t>("context", 256), 256);
  model.required<int64_t>("layers");
  root.required<int64_t>("seed");
  model.finish();
  root.finish();
  EXPECT_THAT(
      said(problems),
      ElementsAre(HasSubstr("run.yaml:2:12: model.d_model should be a whole number, not 'many'"),
                  HasSubstr("run.yaml:4:11: model.layers should be a whole number"), HasSubstr("seed is missing"),
                  AllOf(HasSubstr("run.yaml:3:3: unknown key 'model.contxt'"), HasSubstr("did you mean 'context'?"))));
}

TEST(YamlReader, SaysWhichBoundAValueBreaks) {
  Problems problems;
  YamlMap map = YamlMap::parse("heads: 0\n", "f.yaml", problems);
  map.required<int64_t>("heads", {.min = 1});
  EXPECT_THAT(said(problems), ElementsAre(HasSubstr("f.yaml:1:8: heads = 0 must be at least 1")));
}

TEST(YamlReader, SuggestsTheNearestChoice) {
  Problems problems;
  YamlMap map = YamlMap::parse("kind: trapezoide\n", "f.yaml", problems);
  EXPECT_EQ(map.choice("kind", {"cosine", "trapezoid"}, 1), 1u);
  EXPECT_THAT(said(problems), ElementsAre(HasSubstr("did you mean 'trapezoid'?")));
}

TEST(YamlReader, RefusesAKeyGivenTwice) {
  Problems problems;
  YamlMap::parse("a: 1\na: 2\n", "f.yaml", problems);
  EXPECT_THAT(said(problems), ElementsAre(HasSubstr("f.yaml:2:1: key 'a' is given twice")));
}

TEST(YamlReader, ReportsBrokenYamlWithLineAndColumn) {
  Problems problems;
  EXPECT_THAT([&] { YamlMap::parse("a: [1, 2\nb: 3\n", "f.yaml", problems); },
              testing::ThrowsMessage<ConfigError>(testing::ContainsRegex("f.yaml:[0-9]+:[0-9]+: not valid YAML")));
}

TEST(YamlReader, RefusesAliasesThatNeverEndOrStandForMillionsOfValues) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    bomb += fmt::format("a{0}: &a{0} [", i);
    for (int j = 0; j < 10; ++j) bomb += fmt::format("{}*a{}", j == 0 ? "" : ", ", i - 1);
    bomb += "]\n";
  }
  for (const auto& [text, message] : {std::pair<std::string, std::string>{"a: &a [1, *a]\n", "holds itself"},
                                      {"a: &a {b: {c: *a}}\n", "holds itself"},
                                      {bomb, "more than 1048576 values"}}) {
    Problems problems;
    EXPECT_THAT([&] { YamlMap::parse(text, "hostile.yaml", problems); },
                testing::ThrowsMessage<ConfigError>(testing::AllOf(HasSubstr(message), HasSubstr("hostile.yaml:"))));
  }
}

TEST(YamlReader, RefusesControlCharactersAndTellsOfLongTextsInFewWords) {
  Problems problems;
  EXPECT_THAT([&] { YamlMap::parse("a: 1\nb: \"x\\0y\"\n", "nul.yaml", problems); },
              testing::ThrowsMessage<ConfigError>(HasSubstr("nul.yaml:2:4: the text holds a control character")));
  YamlMap root = YamlMap::parse("a: " + std::string(1'000'000, 'x') + "\n", "long.yaml", problems);
  root.required<int64_t>("a");
  ASSERT_EQ(problems.list().size(), 1u);
  EXPECT_LT(to_string(problems.list()[0]).size(), 3000u);
}

TEST(YamlReader, LooksUpAbsentKeysWithoutInventingThem) {
  Problems problems;
  YamlMap map = YamlMap::parse("a: 1\n", "f.yaml", problems);
  EXPECT_FALSE(map.value("b").exists());
  EXPECT_THAT(map.keys(), ElementsAre("a"));
}

}  // namespace
}  // namespace hyscale
