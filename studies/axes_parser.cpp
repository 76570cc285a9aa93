#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "studies/spec_parser.h"

namespace hyscale::studies {

Budgets parse_budgets(YamlMap map) {
  Budgets budgets;
  std::vector<size_t> given;
  for (size_t kind = 0; kind < kBudgetKinds.size(); ++kind)
    if (map.value(kBudgetKinds[kind]).exists()) given.push_back(kind);
  if (given.size() != 1)
    map.problem("budgets needs flops, tokens or tokens_per_parameter, one of them",
                "write budgets: {flops: [1e15, 1e16]}");
  for (const size_t kind : given) {
    budgets.kind = static_cast<BudgetKind>(kind);
    for (const YamlValue& item : map.value(kBudgetKinds[kind]).as_sequence()) {
      const double budget = item.as<double>({.min = kind == 2 ? 1e-3 : 1, .max = 1e30}).value_or(0);
      if (!budgets.values.empty() && budget > 0 && budget < 1.05 * budgets.values.back())
        item.problem(fmt::format("{} = {} is not at least 5 % above the budget before it", item.path(), item.text()),
                     "list budgets in ascending order, clearly apart");
      budgets.values.push_back(budget);
    }
    if (budgets.values.empty())
      map.problem(fmt::format("budgets.{} names no budget", kBudgetKinds[kind]),
                  "write budgets: {flops: [1e15, 1e16]}");
  }
  map.finish();
  return budgets;
}

Compare parse_compare(YamlMap& root) {
  static const std::vector<std::string> kModes{"own", "equal_flops", "equal_tokens"};
  return static_cast<Compare>(root.choice("compare", kModes, 0));
}

std::vector<int64_t> parse_contexts(const YamlValue& list) {
  std::vector<int64_t> contexts;
  if (!list.exists()) return contexts;
  for (const YamlValue& item : list.as_sequence()) {
    const int64_t context = item.as<int64_t>({.min = 1, .max = 1e9}).value_or(1);
    if (std::find(contexts.begin(), contexts.end(), context) != contexts.end())
      item.problem(fmt::format("context {} is given twice", context), "keep one of them");
    contexts.push_back(context);
  }
  if (list.is_sequence() && contexts.empty()) list.problem(list.path() + " is empty", "write [1024]");
  return contexts;
}

static Axis parse_axis(const std::string& path, const YamlValue& list) {
  Axis axis{.path = path, .values = {}};
  std::string owner = owner_of(path);
  if (path == "model.context") owner = "contexts";
  if (!owner.empty()) list.problem(fmt::format("axes: {} is decided by {}", path, owner), "remove it here");
  for (const YamlValue& item : list.as_sequence()) {
    std::string value = flow_text(item);
    if (value.empty()) item.problem(item.path() + " should be a value");
    if (std::find(axis.values.begin(), axis.values.end(), value) != axis.values.end())
      item.problem(fmt::format("{} = {} is given twice", path, value), "keep one of them");
    axis.values.push_back(std::move(value));
  }
  if (list.is_sequence() && axis.values.empty()) list.problem(list.path() + " is empty", "write [0.1, 0.01]");
  return axis;
}

std::vector<Axis> parse_axes(const YamlValue& value) {
  std::vector<Axis> axes;
  if (!value.exists()) return axes;
  YamlMap map = value.as_map();
  for (const std::string& path : map.keys()) axes.push_back(parse_axis(path, map.value(path)));
  return axes;
}

namespace {

/// Reads one rule; each value has to be one that the study has.
class RuleReader {
 public:
  RuleReader(const YamlValue& rule, const StudySpec& spec) : map_(rule.as_map()), spec_(spec) {}

  CellRule read() {
    CellRule rule;
    rule.at = map_.at();
    if (map_.keys().empty()) map_.problem(map_.path() + " names nothing", "write e.g. {family: mamba, size: 1M}");
    rule.families = words("family", names(spec_.families));
    rule.sizes = words("size", names(spec_.sizes));
    rule.budgets = numbers<double>("budget", spec_.budgets.values);
    rule.seeds = numbers<int64_t>("seed", all_seeds());
    rule.contexts = numbers<int64_t>("context", spec_.contexts);
    if (map_.value("axes").exists()) rule.axes = axes(map_.map("axes"));
    map_.finish();
    return rule;
  }

 private:
  template <class Named>
  static std::vector<std::string> names(const std::vector<Named>& list) {
    std::vector<std::string> found;
    for (const Named& one : list) found.push_back(one.name);
    return found;
  }
  std::vector<int64_t> all_seeds() const {
    std::vector<int64_t> seeds = spec_.seeds;
    for (const auto& [size, own] : spec_.seeds_of_size) seeds.insert(seeds.end(), own.begin(), own.end());
    return seeds;
  }
  // A single value, or a list of them.
  static std::vector<YamlValue> items(const YamlValue& value) {
    if (!value.exists()) return {};
    return value.is_sequence() ? value.as_sequence() : std::vector<YamlValue>{value};
  }
  template <class Known>
  static void unknown(const YamlValue& item, const std::string& what, const std::vector<Known>& known) {
    item.problem(fmt::format("{} = {} is no {} of this study", item.path(), item.text(), what),
                 known.empty() ? fmt::format("the study gives no {}s", what)
                               : fmt::format("use one of: {}", fmt::join(known, ", ")));
  }
  std::vector<std::string> words(const std::string& key, const std::vector<std::string>& known) {
    std::vector<std::string> chosen;
    for (const YamlValue& item : items(map_.value(key))) {
      if (std::find(known.begin(), known.end(), item.text()) == known.end()) unknown(item, key, known);
      chosen.push_back(item.text());
    }
    return chosen;
  }
  template <class Number>
  std::vector<Number> numbers(const std::string& key, const std::vector<Number>& known) {
    std::vector<Number> chosen;
    for (const YamlValue& item : items(map_.value(key))) {
      const auto number = item.as<Number>();
      if (!number) continue;
      if (std::find(known.begin(), known.end(), *number) == known.end()) unknown(item, key, known);
      chosen.push_back(*number);
    }
    return chosen;
  }
  std::vector<Axis> axes(YamlMap map) {
    std::vector<Axis> chosen;
    for (const std::string& path : map.keys()) {
      const YamlValue value = map.value(path);
      const auto axis =
          std::find_if(spec_.axes.begin(), spec_.axes.end(), [&](const Axis& a) { return a.path == path; });
      if (axis == spec_.axes.end()) {
        value.problem(fmt::format("{} is no axis of this study", path), "use the paths under axes:");
        continue;
      }
      Axis& some = chosen.emplace_back(Axis{.path = path, .values = {}});
      const bool one_list = value.is_sequence() &&
                            std::find(axis->values.begin(), axis->values.end(), flow_text(value)) != axis->values.end();
      for (const YamlValue& item : one_list ? std::vector<YamlValue>{value} : items(value)) {
        if (std::find(axis->values.begin(), axis->values.end(), flow_text(item)) == axis->values.end())
          unknown(item, "value of that axis", axis->values);
        some.values.push_back(flow_text(item));
      }
    }
    return chosen;
  }

  YamlMap map_;
  const StudySpec& spec_;
};

}  // namespace

std::vector<CellRule> parse_cell_rules(const YamlValue& list, const StudySpec& spec) {
  std::vector<CellRule> rules;
  if (!list.exists()) return rules;
  for (const YamlValue& item : list.as_sequence()) rules.push_back(RuleReader(item, spec).read());
  return rules;
}

}  // namespace hyscale::studies
