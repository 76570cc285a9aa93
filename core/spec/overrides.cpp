#include "core/spec/overrides.h"

#include <charconv>
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

namespace hyscale::spec {

struct Override {
  std::string path, value, place;  // place: "--set a.b=c"
};

static Override split(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return {text, "", "--set " + text};
  return {text.substr(0, equals), text.substr(equals + 1), "--set " + text};
}

static std::vector<std::string> segments(const std::string& path) {
  std::vector<std::string> parts{""};
  for (const char c : path) {
    if (c == '.')
      parts.emplace_back();
    else
      parts.back().push_back(c);
  }
  return parts;
}

// The child that a path segment names; undefined when there is none. Takes a const node, whose [] never inserts.
static YAML::Node child(const YAML::Node& node, const std::string& segment) {
  if (node.IsMap()) return node[segment];
  size_t index = 0;
  const auto [end, failure] = std::from_chars(segment.data(), segment.data() + segment.size(), index);
  const bool number = failure == std::errc{} && end == segment.data() + segment.size();
  if (node.IsSequence() && number && index < node.size()) return node[index];
  return YAML::Node(YAML::NodeType::Undefined);
}

static std::vector<std::string> keys_of(const YAML::Node& node) {
  std::vector<std::string> keys;
  if (node.IsMap())
    for (const auto& entry : node) keys.push_back(entry.first.Scalar());
  return keys;
}

static void report_unknown(const YAML::Node& parent, const std::string& segment, const Override& set,
                           Problems& problems) {
  const std::string near = nearest(segment, keys_of(parent));
  problems.add({.what = fmt::format("there is no '{}' on the way to {}", segment, set.path),
                .remedy = near.empty() ? "use a path of the run file, e.g. --set train.tokens=2M"
                                       : fmt::format("did you mean '{}'?", near),
                .at = {set.place}});
}

static void apply(YAML::Node root, const Override& set, Problems& problems) {
  if (set.path.empty() || set.value.empty())
    return problems.add({.what = "an override needs a path and a value",
                         .remedy = "write it as --set train.tokens=2M",
                         .at = {set.place}});
  const std::vector<std::string> parts = segments(set.path);
  YAML::Node node = root;
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    const YAML::Node next = child(node, parts[i]);
    if (!next.IsDefined()) return report_unknown(node, parts[i], set, problems);
    node.reset(next);
  }
  YAML::Node value;
  try {
    value = YAML::Load(set.value);
  } catch (const YAML::ParserException& e) {
    return problems.add({.what = "the value is no YAML: " + e.msg, .at = {set.place}});
  }
  if (node.IsMap())
    node[parts.back()] = value;  // an unknown last key is found with all other unknown keys
  else if (YAML::Node item = child(node, parts.back()); item.IsDefined())
    item = value;
  else
    report_unknown(node, parts.back(), set, problems);
}

YamlMap parse_with_overrides(const std::string& text, const std::string& name,
                             const std::vector<std::string>& overrides, Problems& problems) {
  YamlMap map = YamlMap::parse(text, name, problems);  // says where the YAML is wrong
  if (overrides.empty()) return map;
  const YAML::Node root = YAML::Load(text);
  for (const std::string& set : overrides) apply(root, split(set), problems);
  return YamlMap(YamlValue(root, "", name, &problems));
}

void throw_if_any(const Problems& problems, const std::vector<std::string>& overrides) {
  std::vector<Problem> list = problems.list();
  for (Problem& problem : list)
    for (const std::string& text : overrides) {
      const Override set = split(text);
      if (problem.what.find(set.path) != std::string::npos) problem.at = {set.place};
    }
  if (!list.empty()) throw ConfigError(list);
}

}  // namespace hyscale::spec
