#include "core/base/yaml_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include "core/base/files.h"
#include "core/base/yaml_bounds.h"

namespace hyscale {

struct YamlValue::State {
  YAML::Node node;
  std::string path;
  std::string file;
  Problems* problems = nullptr;
};

YamlValue::YamlValue() : state_(std::make_unique<State>()) { state_->node = YAML::Node(YAML::NodeType::Undefined); }
YamlValue::YamlValue(const YAML::Node& node, std::string path, std::string file, Problems* problems)
    : state_(std::make_unique<State>(State{node, std::move(path), std::move(file), problems})) {}
YamlValue::YamlValue(const YamlValue& other) : state_(std::make_unique<State>(*other.state_)) {}
YamlValue::YamlValue(YamlValue&&) noexcept = default;
YamlValue& YamlValue::operator=(const YamlValue& other) {
  state_ = std::make_unique<State>(*other.state_);  // a Node's own assignment would write into the tree
  return *this;
}
YamlValue& YamlValue::operator=(YamlValue&&) noexcept = default;
YamlValue::~YamlValue() = default;

bool YamlValue::exists() const { return state_->node.IsDefined() && !state_->node.IsNull(); }
bool YamlValue::is_scalar() const { return state_->node.IsDefined() && state_->node.IsScalar(); }
bool YamlValue::is_sequence() const { return state_->node.IsDefined() && state_->node.IsSequence(); }
bool YamlValue::is_map() const { return state_->node.IsDefined() && state_->node.IsMap(); }
std::string YamlValue::text() const { return is_scalar() ? state_->node.Scalar() : std::string(); }
const std::string& YamlValue::path() const { return state_->path; }

Location YamlValue::at() const {
  if (!state_->node.IsDefined()) return {state_->file};
  const YAML::Mark mark = state_->node.Mark();
  if (mark.is_null()) return {state_->file};
  return {state_->file, mark.line + 1, mark.column + 1};
}

void YamlValue::problem(std::string what, std::string remedy, std::string why) const {
  state_->problems->add({std::move(what), std::move(why), std::move(remedy), at()});
}

std::optional<double> parse_number(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc{} || !std::isfinite(value)) return {};
  if (rest == end) return value;
  if (rest + 1 != end) return {};
  switch (*rest) {
    case 'K':
      return value * 1e3;
    case 'M':
      return value * 1e6;
    case 'B':
      return value * 1e9;
    case 'T':
      return value * 1e12;
    default:
      return {};
  }
}

static bool within(const YamlValue& value, double number, Range range) {
  if (number >= range.min && number <= range.max) return true;
  const std::string bound =
      number < range.min ? fmt::format("at least {}", range.min) : fmt::format("at most {}", range.max);
  value.problem(fmt::format("{} = {} must be {}", value.path(), value.text(), bound));
  return false;
}

static void wrong_type(const YamlValue& value, const char* wanted) {
  const std::string found = value.is_map() ? "a mapping" : value.is_sequence() ? "a list" : "'" + value.text() + "'";
  value.problem(fmt::format("{} should be {}, not {}", value.path(), wanted, found));
}

template <>
std::optional<double> YamlValue::as<double>(Range range) const {
  const auto number = is_scalar() ? parse_number(text()) : std::nullopt;
  if (!number) return wrong_type(*this, "a number"), std::nullopt;
  if (!within(*this, *number, range)) return {};
  return number;
}

template <>
std::optional<int64_t> YamlValue::as<int64_t>(Range range) const {
  const auto number = is_scalar() ? parse_number(text()) : std::nullopt;
  if (!number || *number != std::floor(*number) || std::abs(*number) > 9e15)
    return wrong_type(*this, "a whole number"), std::nullopt;
  if (!within(*this, *number, range)) return {};
  return static_cast<int64_t>(*number);
}

template <>
std::optional<bool> YamlValue::as<bool>(Range) const {
  const std::string word = text();
  if (word == "true" || word == "yes" || word == "on") return true;
  if (word == "false" || word == "no" || word == "off") return false;
  return wrong_type(*this, "true or false"), std::nullopt;
}

template <>
std::optional<std::string> YamlValue::as<std::string>(Range) const {
  if (!is_scalar() || text().empty()) return wrong_type(*this, "a word"), std::nullopt;
  return text();
}

YamlMap YamlValue::as_map() const {
  if (!is_map()) wrong_type(*this, "a mapping (key: value)");
  return YamlMap(*this);
}

std::vector<YamlValue> YamlValue::as_sequence() const {
  std::vector<YamlValue> items;
  if (!is_sequence()) return wrong_type(*this, "a list"), items;
  for (size_t i = 0; i < state_->node.size(); ++i)
    items.emplace_back(state_->node[i], fmt::format("{}[{}]", path(), i), state_->file, state_->problems);
  return items;
}

YamlMap YamlMap::load(const std::string& path, Problems& problems) { return parse(read_file(path), path, problems); }

YamlMap YamlMap::parse(const std::string& text, const std::string& name, Problems& problems) {
  try {
    YAML::Node node = YAML::Load(text);
    check_bounds(node, name);
    if (!node.IsMap())
      throw ConfigError(Problem{.what = "the file should be a mapping (key: value lines)", .at = {name, 1, 1}});
    return YamlMap(YamlValue(node, "", name, &problems));
  } catch (const YAML::ParserException& e) {
    throw ConfigError(Problem{.what = "not valid YAML: " + e.msg,
                              .remedy = "check indentation, colons and brackets near this place",
                              .at = {name, e.mark.line + 1, e.mark.column + 1}});
  }
}

// The same key twice is legal for the YAML library, which keeps the first; to a person it is a mistake.
static void report_duplicates(const YAML::Node& node, const YamlValue& self, const std::string& file,
                              Problems& problems) {
  std::vector<std::string> seen;
  for (const auto& entry : node) {
    const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
    if (std::find(seen.begin(), seen.end(), key) != seen.end())
      problems.add(
          {.what = fmt::format("key '{}' is given twice in {}", key, self.path().empty() ? "the file" : self.path()),
           .remedy = "keep one of them",
           .at = {file, entry.first.Mark().line + 1, entry.first.Mark().column + 1}});
    seen.push_back(key);
  }
}

YamlMap::YamlMap(YamlValue value) : self_(std::move(value)) {
  if (self_.is_map()) report_duplicates(self_.state_->node, self_, self_.state_->file, *self_.state_->problems);
}

Problems& YamlMap::problems() const { return *self_.state_->problems; }

bool YamlMap::has(const std::string& key) const {
  if (!self_.is_map()) return false;
  const YAML::Node& node = self_.state_->node;  // const: operator[] must not insert
  return node[key].IsDefined();
}

YamlValue YamlMap::value(const std::string& key) {
  known_.push_back(key);
  const YAML::Node& node = self_.state_->node;
  return YamlValue(has(key) ? node[key] : YAML::Node(YAML::NodeType::Undefined), path_of(key), self_.state_->file,
                   self_.state_->problems);
}

std::string YamlMap::path_of(const std::string& key) const { return path().empty() ? key : path() + "." + key; }

YamlMap YamlMap::map(const std::string& key) {
  YamlValue child = value(key);
  if (!has(key)) {
    problem(fmt::format("{} is missing", path_of(key)), fmt::format("add a '{}:' section", key));
    return YamlMap(child);
  }
  return child.as_map();
}

std::vector<std::string> YamlMap::keys() const {
  std::vector<std::string> names;
  if (self_.is_map())
    for (const auto& entry : self_.state_->node) names.push_back(entry.first.IsScalar() ? entry.first.Scalar() : "");
  return names;
}

template <class T>
T YamlMap::required(const std::string& key, Range range) {
  const YamlValue child = value(key);
  if (!has(key)) {
    problem(fmt::format("{} is missing", path_of(key)), fmt::format("add '{}: …'", key));
    return T{};
  }
  return child.as<T>(range).value_or(T{});
}

template <class T>
T YamlMap::optional(const std::string& key, T otherwise, Range range) {
  const YamlValue child = value(key);
  if (!has(key)) return otherwise;
  return child.as<T>(range).value_or(otherwise);
}

template bool YamlMap::required(const std::string&, Range);
template int64_t YamlMap::required(const std::string&, Range);
template double YamlMap::required(const std::string&, Range);
template std::string YamlMap::required(const std::string&, Range);
template bool YamlMap::optional(const std::string&, bool, Range);
template int64_t YamlMap::optional(const std::string&, int64_t, Range);
template double YamlMap::optional(const std::string&, double, Range);
template std::string YamlMap::optional(const std::string&, std::string, Range);

size_t YamlMap::choose(const YamlValue& child, const std::string& key, const std::vector<std::string>& words,
                       size_t otherwise) {
  const auto found = std::find(words.begin(), words.end(), child.text());
  if (child.is_scalar() && found != words.end()) return static_cast<size_t>(found - words.begin());
  const std::string near = nearest(child.text(), words);
  child.problem(fmt::format("{} = '{}' is not known", path_of(key), child.text()),
                near.empty() ? fmt::format("use one of: {}", fmt::join(words, ", "))
                             : fmt::format("did you mean '{}'? (one of: {})", near, fmt::join(words, ", ")));
  return otherwise;
}

size_t YamlMap::choice(const std::string& key, const std::vector<std::string>& words, size_t otherwise) {
  const YamlValue child = value(key);
  return has(key) ? choose(child, key, words, otherwise) : otherwise;
}

size_t YamlMap::required_choice(const std::string& key, const std::vector<std::string>& words) {
  const YamlValue child = value(key);
  if (has(key)) return choose(child, key, words, 0);
  problem(fmt::format("{} is missing", path_of(key)),
          fmt::format("add '{}:' with one of: {}", key, fmt::join(words, ", ")));
  return 0;
}

void YamlMap::finish() const {
  if (!self_.is_map()) return;
  for (const auto& entry : self_.state_->node) {
    const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string near = nearest(key, known_);
    problems().add({.what = fmt::format("unknown key '{}'", path_of(key)),
                    .remedy = near.empty() ? fmt::format("known here: {}", fmt::join(known_, ", "))
                                           : fmt::format("did you mean '{}'?", near),
                    .at = {self_.state_->file, entry.first.Mark().line + 1, entry.first.Mark().column + 1}});
  }
}

void YamlMap::problem_at(const std::string& key, std::string what, std::string remedy, std::string why) const {
  if (!has(key)) return problem(std::move(what), std::move(remedy), std::move(why));
  const YAML::Node& node = self_.state_->node;
  YamlValue(node[key], path_of(key), self_.state_->file, self_.state_->problems)
      .problem(std::move(what), std::move(remedy), std::move(why));
}

}  // namespace hyscale
