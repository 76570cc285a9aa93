#include <algorithm>
#include <fmt/format.h>

#include "studies/spec_parser.h"

namespace hyscale::studies {

std::string owner_of(const std::string& path) {
  static const std::vector<std::pair<std::string, std::string>> kOwners{
      {"model.d_model", "sizes"},
      {"model.stack", "families"},
      {"model.ffn", "sizes"},
      {"train.tokens", "budgets"},
      {"train.batch_tokens", "batch"},
      {"train.schedule", "schedule"},
      {"train.seed", "seeds"},
      {"data.seed", "seeds"},
      {"train.optimizer.lr", "learning_rate"},
      {"model.vocabulary", "the corpus"},
      {"data.corpus", "the base file"},
  };
  for (const auto& [prefix, owner] : kOwners)
    if (path == prefix || path.rfind(prefix + ".", 0) == 0) return owner;
  const std::string last = path.substr(path.rfind('.') + 1);
  for (const char* width : {"heads", "kv_heads", "head_dim", "value_dim", "d_ssm", "d_state"})
    if (last == width) return "sizes";
  return "";
}

std::string flow_text(const YamlValue& value) {
  if (value.is_map()) return "";
  if (!value.is_sequence()) return value.text();
  std::string text;
  for (const YamlValue& item : value.as_sequence()) text += (text.empty() ? "[" : ", ") + flow_text(item);
  return text + "]";
}

static std::vector<std::string> parse_set(const YamlValue& value) {
  std::vector<std::string> overrides;
  if (!value.exists()) return overrides;
  YamlMap map = value.as_map();
  for (const std::string& path : map.keys()) {
    const YamlValue item = map.value(path);
    if (const std::string owner = owner_of(path); !owner.empty())
      item.problem(fmt::format("set: {} is decided by {}", path, owner), "remove it here");
    const std::string text = flow_text(item);
    if (item.is_map() || text.empty())
      item.problem(fmt::format("set: {} should be a value", path), "write e.g. model.mixers.A.window: 512");
    overrides.push_back(path + "=" + text);
  }
  return overrides;
}

static FamilySpec parse_family(const std::string& name, YamlMap map) {
  FamilySpec family;
  family.name = name;
  family.at = map.at();
  const bool layers = map.has("layers") && !map.has("family");
  if (map.has("stack") + map.has("family") + layers != 1)
    map.problem(
        fmt::format("{} needs a stack, a family or layers, one of them", map.path()),
        "write {stack: A}, {family: inter, ratio: \"1:5\", placement: middle} or {layers: {A: [4, 8], of: 13}}");
  else if (map.has("stack"))
    family.stack.pattern = map.required<std::string>("stack");
  else
    family.stack = spec::parse_stack_rule(map, false);
  if (const YamlValue split = map.value("split"); split.exists()) {
    const auto [attention, mamba] = spec::parse_ratio(map, split, 1, {1, 1});
    family.attention_share = static_cast<double>(attention) / static_cast<double>(attention + mamba);
  }
  family.set = parse_set(map.value("set"));
  map.finish();
  return family;
}

std::vector<FamilySpec> parse_families(YamlMap map) {
  std::vector<FamilySpec> families;
  for (const std::string& name : map.keys()) {
    const YamlValue value = map.value(name);
    if (value.is_map()) {
      families.push_back(parse_family(name, value.as_map()));
    } else {
      value.problem(fmt::format("family {} should be a mapping", name), "write e.g. transformer: {stack: A}");
    }
  }
  if (families.empty()) map.problem("families names no family", "add one, e.g. transformer: {stack: A}");
  return families;
}

}  // namespace hyscale::studies
