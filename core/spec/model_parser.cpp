#include "core/spec/model_parser.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/spec/stack.h"

namespace hyscale::spec {

using Mixers = std::map<std::string, std::shared_ptr<const MixerSpec>>;

// A feed-forward layer as written: `read` is false when there was none to read or it was wrong.
struct FfnChoice {
  bool read = false;
  std::optional<SwigluConfig> ffn;
};

static FfnChoice parse_ffn(const YamlValue& value) {
  if (!value.exists()) return {};
  if (value.text() == "none") return {.read = true, .ffn = {}};
  YamlMap map = value.as_map();
  if (!value.is_map()) return {};
  const size_t before = map.problems().list().size();
  FfnChoice choice{.read = true, .ffn = {}};
  if (map.required_choice("kind", {"swiglu", "none"}) == 0)
    choice.ffn = SwigluConfig{.d_ff = map.required<int64_t>("d_ff", {.min = 1, .max = 1e7})};
  map.finish();
  choice.read = map.problems().list().size() == before;
  return choice;
}

static bool is_name(const std::string& name) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; };
  return !name.empty() && std::all_of(name.begin(), name.end(), plain);
}

// Names of every block, also of those that could not be read: a stack that uses one is not wrong twice.
static std::vector<std::string> parse_mixers(YamlMap map, int64_t d_model, Mixers& mixers) {
  std::vector<std::string> names;
  for (const std::string& name : map.keys()) {
    const YamlValue value = map.value(name);
    if (!is_name(name))
      value.problem(fmt::format("'{}' is no name for a mixer", name), "use letters, digits, '_' and '-'");
    names.push_back(name);
    if (auto mixer = parse_mixer(value.as_map(), d_model)) mixers[name] = std::move(mixer);
  }
  if (names.empty()) map.problem("model.mixers names no block", "add one, e.g. A: {kind: attention, heads: 4}");
  return names;
}

std::string mark_unknown(const std::string& pattern, const std::vector<size_t>& at) {
  std::string carets(at.empty() ? 0 : at.back() + 1, ' ');
  for (const size_t i : at) carets[i] = '^';
  return fmt::format("    {}\n    {}", pattern, carets);
}

struct StackReader {
  const std::vector<std::string>& names;
  const Mixers& mixers;
  const FfnChoice& common;
  ModelConfig& model;

  bool known(const std::string& name) const { return std::find(names.begin(), names.end(), name) != names.end(); }
  void add(const std::string& name, const FfnChoice& ffn) {
    const auto found = mixers.find(name);
    if (found != mixers.end()) model.stack.push_back({.name = name, .mixer = found->second, .ffn = ffn.ffn});
  }

  void read_pattern(const YamlValue& value) {
    const std::string pattern = value.text();
    std::vector<size_t> unknown;
    for (size_t i = 0; i < pattern.size(); ++i) {
      if (!known(std::string(1, pattern[i]))) unknown.push_back(i);
      add(std::string(1, pattern[i]), common);
    }
    if (unknown.empty()) return;
    const char symbol = pattern[unknown[0]];
    value.problem(
        fmt::format("{} uses '{}', which model.mixers does not name\n{}", value.path(), symbol,
                    mark_unknown(pattern, unknown)),
        fmt::format("use one of: {}; or add {}: {{kind: …}} to model.mixers", fmt::join(names, ", "), symbol));
  }

  void read_item(const YamlValue& item) {
    FfnChoice ffn = common;
    YamlValue name = item;
    if (item.is_map()) {
      YamlMap map = item.as_map();
      name = map.value("mixer");
      if (map.has("ffn")) ffn = parse_ffn(map.value("ffn"));
      map.finish();
    }
    if (!name.is_scalar())
      return item.problem(fmt::format("{} names no mixer", item.path()), "write {mixer: M}, or only the mixer's name");
    if (!known(name.text())) {
      const std::string near = nearest(name.text(), names);
      name.problem(fmt::format("{} = '{}' is not named under model.mixers", name.path(), name.text()),
                   near.empty() ? fmt::format("use one of: {}", fmt::join(names, ", "))
                                : fmt::format("did you mean '{}'?", near));
    }
    add(name.text(), ffn);
  }

  void read_rule(const YamlValue& stack) {
    YamlMap map = stack.as_map();
    const size_t before = map.problems().list().size();
    const StackRule rule = parse_stack_rule(map, true, &names);
    map.finish();
    if (map.problems().list().size() > before) return;
    for (const std::string& name : lay_out(rule, rule.depth).mixers) add(name, common);
  }

  void read(const YamlValue& stack) {
    if (stack.is_sequence())
      for (const YamlValue& item : stack.as_sequence()) read_item(item);
    else if (stack.is_map())
      read_rule(stack);
    else
      read_pattern(stack);
  }
};

// True when some layer takes its feed-forward layer from model.ffn.
static bool needs_common_ffn(const YamlValue& stack) {
  if (!stack.is_sequence()) return true;
  for (const YamlValue& item : stack.as_sequence())
    if (!item.is_map() || !item.as_map().has("ffn")) return true;
  return false;
}

ModelConfig parse_model(YamlMap map, Mixers& mixers) {
  ModelConfig model;
  model.vocabulary = map.required<int64_t>("vocabulary", {.min = 2, .max = 1e7});
  model.context = map.required<int64_t>("context", {.min = 1, .max = 1e8});
  model.d_model = map.required<int64_t>("d_model", {.min = 1, .max = 1e6});
  model.norm_epsilon = map.optional<double>("norm_epsilon", model.norm_epsilon, {.min = 1e-12, .max = 1});
  const std::vector<std::string> names = parse_mixers(map.map("mixers"), model.d_model, mixers);
  const YamlValue ffn = map.value("ffn"), stack = map.value("stack");
  const FfnChoice common = parse_ffn(ffn);
  if (!stack.exists() || (stack.is_scalar() && stack.text().empty())) {
    map.problem_at("stack", "model.stack should be a pattern, a list, a family or layers by name",
                   "write e.g. stack: MMAMM, or stack: {family: inter, ratio: \"1:5\", layers: 13}");
  } else {
    if (needs_common_ffn(stack) && !ffn.exists())
      map.problem("model.ffn is missing", "add ffn: {kind: swiglu, d_ff: …}, or ffn: {kind: none}");
    StackReader{names, mixers, common, model}.read(stack);
    const bool none = stack.is_sequence() && stack.as_sequence().empty();
    if (none || model.stack.size() > static_cast<size_t>(kMostLayers))
      map.problem_at("stack", fmt::format("model.stack has {} layers", model.stack.size()),
                     fmt::format("use 1 to {}", kMostLayers));
  }
  map.finish();
  return model;
}

}  // namespace hyscale::spec
