#include <algorithm>
#include <charconv>
#include <fmt/format.h>

#include "studies/spec_parser.h"

namespace hyscale::studies {

static const std::vector<std::string> kPlacements{"front", "middle", "end", "scatter"};

// "1:5"
static std::optional<std::array<int64_t, 2>> parse_ratio(const std::string& text) {
  std::array<int64_t, 2> ratio{};
  const char *end = text.data() + text.size(), *colon = text.data() + std::min(text.find(':'), text.size());
  if (colon == end) return {};
  const auto first = std::from_chars(text.data(), colon, ratio[0]);
  const auto second = std::from_chars(colon + 1, end, ratio[1]);
  const bool whole = first.ec == std::errc{} && first.ptr == colon && second.ec == std::errc{} && second.ptr == end;
  if (!whole || ratio[0] < 1 || ratio[1] < 0 || ratio[0] > 1000 || ratio[1] > 1000) return {};
  return ratio;
}

// Why a family may not set this path, or "".
static std::string forbidden(const std::string& path) {
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

static std::string flow_text(const YamlValue& value) {
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
    if (const std::string owner = forbidden(path); !owner.empty())
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
  if (map.has("stack") == map.has("family")) {
    map.problem(fmt::format("{} needs a stack or a family, one of them", map.path()),
                "write {stack: A}, or {family: inter, ratio: \"1:5\", placement: middle}");
  } else if (map.has("stack")) {
    family.pattern = map.required<std::string>("stack");
  } else {
    const bool inter = map.required_choice("family", {"inter", "intra"}) == 0;
    family.kind = inter ? FamilySpec::Kind::inter : FamilySpec::Kind::intra;
    const std::string ratio = map.required<std::string>("ratio");
    const auto read = parse_ratio(ratio);
    if (read) family.ratio = *read;
    if (!read && !ratio.empty())
      map.problem_at("ratio", fmt::format("{}.ratio = '{}' is no ratio", map.path(), ratio),
                     "write \"1:5\": one expensive layer to five Mamba layers");
    family.placement = static_cast<Placement>(map.choice("placement", kPlacements, 1));
    family.expensive = map.optional<std::string>("expensive", inter ? "A" : "H");
    family.cheap = map.optional<std::string>("cheap", "M");
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
