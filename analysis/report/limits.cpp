#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <set>
#include <tuple>

#include "analysis/number_text.h"
#include "analysis/report/findings.h"

namespace hyscale::analysis {
namespace {

using List = std::vector<std::string>;

void add_unfinished(const Dataset& data, List& list) {
  const std::string missing = unfinished_text(data);
  if (!missing.empty())
    list.push_back(fmt::format("The study is not complete: {} of {} runs. Curves that miss them may move.", missing,
                               data.runs.size()));
  if (!data.rejected.empty())
    list.push_back(fmt::format("{} planned cells were rejected before training (see the list below the runs).",
                               data.rejected.size()));
}

void add_seeds(const Dataset& data, List& list) {
  std::map<std::tuple<std::string, double, double>, int> repeats;
  for (const Point& point : data.set.points) ++repeats[{point.family, point.n, point.d}];
  int repeated = 0;
  for (const auto& [cell, count] : repeats) repeated += count > 1;
  if (!repeats.empty() && repeated == 0)
    list.emplace_back(
        "Every cell was trained once. The spread between seeds is not measured; intervals stand on the scatter about "
        "the "
        "fitted curves alone. Repeating the two smallest sizes with three seeds is the cheapest remedy.");
  else if (repeated < static_cast<int>(repeats.size()))
    list.push_back(fmt::format("{} of {} cells have more than one seed.", repeated, repeats.size()));
}

void add_minima(const Analysis& analysis, List& list) {
  List outside, weak, edge;
  for (const FamilyIsoFlop& family : analysis.isoflop)
    for (const IsoFlopCurve& curve : family.curves) {
      const std::string name = fmt::format("{} at {}", family.family, short_flops(curve.budget));
      if (!curve.interior)
        outside.push_back(name);
      else if (curve.sizes_below < 2 || curve.sizes_above < 2)
        weak.push_back(name);
      const auto best = std::min_element(curve.points.begin(), curve.points.end(),
                                         [](const Point& x, const Point& y) { return x.loss < y.loss; });
      if (best->n == curve.points.front().n || best->n == curve.points.back().n) edge.push_back(name);
    }
  if (!outside.empty())
    list.push_back(
        fmt::format("No minimum inside the sizes trained: {}. These are not ranked and not in N*(C); train "
                    "smaller or larger models there.",
                    fmt::join(outside, ", ")));
  if (!weak.empty())
    list.push_back(
        fmt::format("One side of the minimum is held by a single size: {}. The parabola's shape is weakly "
                    "known there.",
                    fmt::join(weak, ", ")));
  if (!edge.empty())
    list.push_back(fmt::format("The best run is the smallest or the largest one trained: {}.", fmt::join(edge, ", ")));
}

void add_overlaps(const Analysis& analysis, List& list) {
  List budgets;
  for (const Verdict& verdict : verdicts(analysis))
    if (verdict.ranking.size() > 1 && !verdict.separated) budgets.push_back(short_flops(verdict.budget));
  if (!budgets.empty())
    list.push_back(
        fmt::format("The ranking of the families is not settled at {} FLOPs: intervals overlap or are missing. "
                    "More sizes about the minimum and more seeds narrow them.",
                    fmt::join(budgets, ", ")));
}

void add_span(const Analysis& analysis, List& list) {
  const PointSet& set = analysis.data.set;
  if (set.points.empty()) return;
  const auto by_c = [](const Point& x, const Point& y) { return x.c < y.c; };
  const auto by_n = [](const Point& x, const Point& y) { return x.n < y.n; };
  const auto [cheapest, dearest] = std::minmax_element(set.points.begin(), set.points.end(), by_c);
  const auto [smallest, largest] = std::minmax_element(set.points.begin(), set.points.end(), by_n);
  list.push_back(fmt::format(
      "The runs span {} to {} FLOPs ({:.1f} decades) and {} to {} parameters. Every step beyond {} FLOPs is "
      "extrapolation, and so is a ranking of families at larger sizes.",
      short_flops(cheapest->c), short_flops(dearest->c), std::log10(dearest->c / cheapest->c), short_count(smallest->n),
      short_count(largest->n), short_flops(dearest->c)));
  List far;
  for (const FamilyFit& fit : analysis.fits)
    for (const Allocation& at : fit.allocations)
      if (at.extrapolation > 0.005) far.push_back(fmt::format("{} at {}", fit.family, short_flops(at.budget)));
  if (!far.empty()) list.push_back(fmt::format("Outside the data: {}.", fmt::join(far, ", ")));
}

void add_fit_warnings(const Analysis& analysis, List& list) {
  for (const FamilyFit& fit : analysis.fits) {
    if (!fit.usable)
      list.push_back(fmt::format("{}: the law E + A/N^α + B/D^β could not be fitted ({}).", fit.family,
                                 fmt::join(fit.reasons, "; ")));
    for (const std::string& warning : fit.warnings) list.push_back(fmt::format("{}: {}.", fit.family, warning));
  }
  for (const FamilyIsoFlop& family : analysis.isoflop)
    for (const std::string& warning : family.warnings) list.push_back(fmt::format("{}: {}.", family.family, warning));
}

}  // namespace

std::vector<std::string> limits(const Analysis& analysis) {
  List list;
  add_unfinished(analysis.data, list);
  add_overlaps(analysis, list);
  add_minima(analysis, list);
  add_seeds(analysis.data, list);
  list.emplace_back(
      "All losses are of one validation set of one corpus with one tokenizer; another corpus may order the families "
      "differently.");
  add_span(analysis, list);
  add_fit_warnings(analysis, list);
  list.insert(list.end(), analysis.data.set.notices.begin(), analysis.data.set.notices.end());
  for (const std::string& problem : analysis.data.problems) list.push_back("Could not be read: " + problem);
  return list;
}

}  // namespace hyscale::analysis
