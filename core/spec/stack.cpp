#include "core/spec/stack.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>

namespace hyscale::spec {

static StackLayout by_ratio(const StackRule& rule, int64_t layers) {
  const auto [a, b] = rule.ratio;
  const int64_t count = expensive_layers(layers, rule.ratio);
  const bool none = a > 0 && count == 0, all = b > 0 && count == layers;
  if (none || all) {
    int64_t enough = layers + 1;
    while (expensive_layers(enough, rule.ratio) == 0 || expensive_layers(enough, rule.ratio) == enough) ++enough;
    return {
        .problem = fmt::format("{}:{} leaves no layer of {} to {}", a, b, layers, none ? rule.expensive : rule.cheap),
        .remedy = fmt::format("use {} layers or more, or another ratio", enough)};
  }
  StackLayout layout{.mixers = std::vector<std::string>(static_cast<size_t>(layers), rule.cheap)};
  for (const int64_t p : positions(layers, count, rule.placement))
    layout.mixers[static_cast<size_t>(p - 1)] = rule.expensive;
  return layout;
}

static StackLayout by_name(const StackRule& rule, int64_t layers) {
  if (layers != rule.depth)
    return {.problem = fmt::format("its layers are those of a stack of {}, not of {}", rule.depth, layers),
            .remedy = fmt::format("use a size of {} layers", rule.depth)};
  StackLayout layout{.mixers = std::vector<std::string>(static_cast<size_t>(layers), rule.rest)};
  for (const StackRule::Named& named : rule.named)
    for (const int64_t p : named.layers) layout.mixers[static_cast<size_t>(p - 1)] = named.mixer;
  return layout;
}

StackLayout lay_out(const StackRule& rule, int64_t layers) {
  if (rule.kind == StackRule::Kind::family) return by_ratio(rule, layers);
  if (rule.kind == StackRule::Kind::layers) return by_name(rule, layers);
  StackLayout layout;
  for (int64_t n = 0; n < layers; ++n)
    layout.mixers.emplace_back(1, rule.pattern[static_cast<size_t>(n) % rule.pattern.size()]);
  return layout;
}

std::vector<std::string> mixers_of(const StackRule& rule) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  if (rule.kind == StackRule::Kind::pattern)
    for (const char symbol : rule.pattern) add(std::string(1, symbol));
  if (rule.kind == StackRule::Kind::family) {
    if (rule.ratio[0] > 0) add(rule.expensive);
    if (rule.ratio[1] > 0) add(rule.cheap);
  }
  if (rule.kind == StackRule::Kind::layers) {
    size_t given = 0;
    for (const StackRule::Named& named : rule.named) {
      add(named.mixer);
      given += named.layers.size();
    }
    if (given < static_cast<size_t>(rule.depth)) add(rule.rest);
  }
  return names;
}

LayerRatio parse_ratio(const YamlMap& map, const YamlValue& value, int64_t least, LayerRatio otherwise) {
  constexpr int64_t kMost = 1000;
  const std::string text = value.text();
  LayerRatio ratio{};
  const char *end = text.data() + text.size(), *colon = text.data() + std::min(text.find(':'), text.size());
  bool whole = colon != end;
  if (whole) {
    const auto first = std::from_chars(text.data(), colon, ratio[0]);
    const auto second = std::from_chars(colon + 1, end, ratio[1]);
    whole = first.ec == std::errc{} && first.ptr == colon && second.ec == std::errc{} && second.ptr == end;
  }
  const bool fits = whole && std::min(ratio[0], ratio[1]) >= least && std::max(ratio[0], ratio[1]) <= kMost &&
                    ratio[0] + ratio[1] > 0;
  if (fits) return ratio;
  if (value.exists())
    value.problem(
        fmt::format("{} = '{}' is no ratio", value.path(), text),
        fmt::format("write two numbers from {} to {}{}, e.g. \"1:5\"", least, kMost, least == 0 ? ", not both 0" : ""));
  else
    map.problem(fmt::format("{} is missing", value.path()), "add ratio: \"1:5\", expensive layers to cheap ones");
  return otherwise;
}

namespace {

/// Reads one mapping; says what is wrong where it stands.
struct RuleReader {
  YamlMap& map;
  const std::vector<std::string>* known;
  StackRule rule;

  bool is_known(const std::string& name) const {
    return known == nullptr || std::find(known->begin(), known->end(), name) != known->end();
  }
  std::string known_ones() const { return fmt::format("use one of: {}", fmt::join(*known, ", ")); }

  void check_name(const std::string& key, const std::string& name) {
    if (!is_known(name))
      map.problem_at(key, fmt::format("{} = '{}' is not named under model.mixers", map.path_of(key), name),
                     known_ones());
  }

  void read_family(bool with_depth) {
    rule.kind = StackRule::Kind::family;
    rule.intra = map.required_choice("family", {"inter", "intra"}) == 1;
    const size_t before = map.problems().list().size();
    rule.ratio = parse_ratio(map, map.value("ratio"), 0, rule.ratio);
    const bool ratio_read = map.problems().list().size() == before;
    rule.placement = static_cast<Placement>(map.choice("placement", placement_names(), 1));
    rule.expensive = map.optional<std::string>("expensive", rule.intra ? "H" : "A");
    rule.cheap = map.optional<std::string>("cheap", "M");
    for (const std::string& name : mixers_of(rule)) check_name(name == rule.expensive ? "expensive" : "cheap", name);
    if (!with_depth && map.has("layers"))
      map.value("layers").problem(fmt::format("{} does not belong to a family", map.path_of("layers")), "leave it out",
                                  "a family is as deep as each size");
    if (with_depth) rule.depth = map.required<int64_t>("layers", {.min = 1, .max = double{kMostLayers}});
    if (rule.depth == 0 || !ratio_read) return;
    if (const StackLayout layout = lay_out(rule, rule.depth); !layout.problem.empty())
      map.problem_at("ratio", fmt::format("{}: {}", map.path_of("ratio"), layout.problem), layout.remedy);
  }

  void read_layers() {
    rule.kind = StackRule::Kind::layers;
    YamlMap layers = map.value("layers").as_map();
    if (layers.has("of"))
      rule.depth = layers.required<int64_t>("of", {.min = 1, .max = double{kMostLayers}});
    else
      layers.problem(fmt::format("{} does not say of how many layers", layers.path()), "add of: 13");
    std::map<int64_t, std::string> taken;
    for (const std::string& name : layers.keys()) {
      if (name == "of") continue;
      const YamlValue list = layers.value(name);
      if (!is_known(name))
        list.problem(fmt::format("{}: '{}' is not named under model.mixers", list.path(), name), known_ones());
      StackRule::Named named{.mixer = name, .layers = {}};
      for (const YamlValue& item : list.as_sequence())
        if (const auto layer = read_layer(item, name, taken)) named.layers.push_back(*layer);
      rule.named.push_back(std::move(named));
    }
    if (rule.named.empty())
      layers.problem(fmt::format("{} names no mixer", layers.path()), "write {A: [4, 8], of: 13}");
    rule.rest = map.optional<std::string>("rest", rule.rest);
    if (rule.depth > 0 && taken.size() < static_cast<size_t>(rule.depth)) check_name("rest", rule.rest);
  }

  std::optional<int64_t> read_layer(const YamlValue& item, const std::string& name,
                                    std::map<int64_t, std::string>& taken) {
    const auto layer = item.as<int64_t>();
    if (!layer) return {};
    if (*layer < 1 || (rule.depth > 0 && *layer > rule.depth)) {
      const std::string last = rule.depth > 0 ? fmt::format("{}", rule.depth) : "the number of layers";
      item.problem(fmt::format("{} = {} is no layer", item.path(), *layer),
                   fmt::format("layers count from 1 to {}", last));
      return {};
    }
    const auto [other, fresh] = taken.emplace(*layer, name);
    if (fresh) return layer;
    item.problem(other->second == name
                     ? fmt::format("{}: layer {} is there twice", item.path(), *layer)
                     : fmt::format("{}: layer {} belongs to {} already", item.path(), *layer, other->second),
                 "give each layer once");
    return {};
  }
};

}  // namespace

StackRule parse_stack_rule(YamlMap& map, bool with_depth, const std::vector<std::string>* known) {
  RuleReader reader{.map = map, .known = known, .rule = {}};
  if (map.has("family"))
    reader.read_family(with_depth);
  else if (map.has("layers"))
    reader.read_layers();
  else
    map.problem(fmt::format("{} names neither a family nor layers", map.path()),
                "write {family: inter, ratio: \"1:5\", layers: 13}, or {layers: {A: [4, 8], of: 13}}");
  return reader.rule;
}

}  // namespace hyscale::spec
