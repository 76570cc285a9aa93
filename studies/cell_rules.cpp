#include "studies/cell_rules.h"

#include <algorithm>
#include <fmt/format.h>

namespace hyscale::studies {

template <class T>
static bool among(const std::vector<T>& chosen, const T& value) {
  return chosen.empty() || std::find(chosen.begin(), chosen.end(), value) != chosen.end();
}

static bool matches(const CellRule& rule, const std::string& family, const std::string& size, double budget,
                    int64_t seed, const Variant& variant) {
  const auto axis_matches = [&](const Axis& axis) {
    return std::any_of(variant.axes.begin(), variant.axes.end(),
                       [&](const auto& set) { return set.first == axis.path && among(axis.values, set.second); });
  };
  return among(rule.families, family) && among(rule.sizes, size) && among(rule.budgets, budget) &&
         among(rule.seeds, seed) && among(rule.contexts, variant.context) &&
         std::all_of(rule.axes.begin(), rule.axes.end(), axis_matches);
}

CellFilter::CellFilter(const StudySpec& spec) {
  for (const CellRule& rule : spec.include) include_.push_back({&rule, "include"});
  for (const CellRule& rule : spec.exclude) exclude_.push_back({&rule, "exclude"});
}

bool CellFilter::wants(const std::string& family, const std::string& size, double budget, int64_t seed,
                       const Variant& variant) {
  const auto any = [&](std::vector<Entry>& entries) {
    bool found = false;
    for (Entry& entry : entries)
      if (matches(*entry.rule, family, size, budget, seed, variant)) found = entry.matched = true;
    return found;
  };
  const bool included = any(include_), excluded = any(exclude_);
  return (included || include_.empty()) && !excluded;
}

void CellFilter::report_unmatched(Problems& problems) const {
  for (const auto* entries : {&include_, &exclude_})
    for (const Entry& entry : *entries)
      if (!entry.matched)
        problems.add({.what = fmt::format("this entry of {} matches no cell of the study", entry.section),
                      .remedy = "take it out, or mend the values: all of them have to hold for one cell",
                      .at = entry.rule->at});
}

}  // namespace hyscale::studies
