// The published schema of a study has the keys that the parser knows, no more and no fewer.
#include <gmock/gmock.h>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "studies/gpu_kinds.h"
#include "tests/studies/study_fixture.h"

namespace hyscale::studies {

using Keys = std::map<std::string, std::set<std::string>>;  // by place: "sizes[]", "families.*"

// Every mapping of a study in each of its spellings, with a key that nobody knows.
constexpr const char* kEveryMapping = R"(format: hyscale.study/1
study: all
zzzzzz: 1
questions: [{ask: q, compare: [a, a], at: {flops: 1, zzzzzz: 1}, difference: 1, zzzzzz: 1}]
base: base.yaml
families:
  a: {stack: A, zzzzzz: 1}
  b: {family: inter, ratio: "1:2", zzzzzz: 1}
  c: {layers: {A: [1], of: 2}, zzzzzz: 1}
sizes: [1M, {name: w, widths: base, zzzzzz: 1}, {name: x, d_model: 64, layers: 2, zzzzzz: 1}]
budgets: {flops: [1], zzzzzz: 1}
include: [{family: a, zzzzzz: 1}]
exclude: [{family: b, zzzzzz: 1}]
learning_rate: {value: 1e-3, sweep: {scale: [1], for: [1M], zzzzzz: 1}, zzzzzz: 1}
batch: {BATCH, zzzzzz: 1}
schedule: {kind: trapezoid, cooldown: 0.2, zzzzzz: 1}
limits: {zzzzzz: 1}
resources: {zzzzzz: 1}
slurm: {throttle: {runs: 1, zzzzzz: 1}, zzzzzz: 1}
)";

static std::string place_of(std::string path) {
  path = std::regex_replace(path, std::regex("\\[[0-9]+\\]"), "[]");
  return std::regex_replace(path, std::regex("^families\\.[a-z]+"), "families.*");
}

// Takes down what the parser says it knows beside each key that it does not.
static void add_parser_keys(const std::string& study, Keys& keys) {
  try {
    parse_study_spec(study, "all.yaml");
  } catch (const ConfigError& error) {
    for (const Problem& problem : error.problems()) {
      std::smatch found;
      if (!std::regex_match(problem.what, found, std::regex("unknown key '(.*?)\\.?zzzzzz'"))) continue;
      ASSERT_TRUE(problem.remedy.starts_with("known here: ")) << problem.what << ": " << problem.remedy;
      std::istringstream known(problem.remedy.substr(12));
      for (std::string key; std::getline(known >> std::ws, key, ',');) keys[place_of(found[1])].insert(key);
    }
  }
}

static void add_schema_keys(const nlohmann::json& schema, const std::string& place, Keys& keys) {
  const std::string below = place.empty() ? "" : place + ".";
  if (schema.contains("properties"))
    for (const auto& [key, value] : schema.at("properties").items()) {
      keys[place].insert(key);
      add_schema_keys(value, below + key, keys);
    }
  if (schema.contains("items")) add_schema_keys(schema.at("items"), place + "[]", keys);
  if (schema.contains("additionalProperties") && schema.at("additionalProperties").is_object())
    add_schema_keys(schema.at("additionalProperties"), below + "*", keys);
  for (const auto& either : schema.value("anyOf", nlohmann::json::array())) add_schema_keys(either, place, keys);
}

TEST(StudySchema, HasTheKeysThatTheParserKnows) {
  Keys parser, schema;
  for (const char* batch : {"tokens: 512", "value: 512"}) {
    std::string study = kEveryMapping;
    study.replace(study.find("BATCH"), 5, batch);
    add_parser_keys(study, parser);
  }
  add_schema_keys(nlohmann::json::parse(study_schema()), "", schema);
  for (const auto& [place, keys] : parser) EXPECT_EQ(keys, schema[place]) << "at '" << place << "'";
  for (const auto& [place, keys] : schema) EXPECT_EQ(keys, parser[place]) << "at '" << place << "'";
}

TEST(StudySchema, HasTheKindsOfGpuThatThePlannerKnows) {
  const auto schema = nlohmann::json::parse(study_schema());
  EXPECT_EQ(schema.at("properties")
                .at("resources")
                .at("properties")
                .at("gpu_kind")
                .at("enum")
                .get<std::vector<std::string>>(),
            gpu_kind_names());
}

}  // namespace hyscale::studies
