#include "analysis/holdout.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "core/base/error.h"

namespace hyscale::analysis {

PointSet hold_out(PointSet& set, const std::string& text, const ColumnMap& columns) {
  const Condition condition(text, columns, "--holdout");
  PointSet held = set;
  std::erase_if(held.points, [&](const Point& point) { return !condition.holds(point); });
  std::erase_if(set.points, [&](const Point& point) { return condition.holds(point); });
  if (held.points.empty() || set.points.empty())
    throw ConfigError(Problem{
        .what = held.points.empty() ? fmt::format("--holdout '{}' holds no point", text)
                                    : fmt::format("--holdout '{}' leaves no point to fit", text),
        .remedy = "see analyze points for the values; hold out the largest budgets, as in --holdout 'c > 1e20'"});
  set.notices.push_back(fmt::format("{} of {} points held out by --holdout '{}'.", held.points.size(),
                                    held.points.size() + set.points.size(), text));
  return held;
}

Foretold foretell(const FamilyFit& fit, const PointSet& fitted, const PointSet& held) {
  Foretold result;
  double squares = 0, sum = 0, farthest = 0, most = 0;
  for (const Point& point : held.points) {
    if (point.family != fit.family) continue;
    result.points.push_back({point, fit.law.loss(point)});
    const double miss = std::log(result.points.back().loss / point.loss);
    squares += miss * miss, sum += miss;
    farthest = std::max(farthest, point.c);
  }
  for (const Point& point : fitted.points)
    if (point.family == fit.family) most = std::max(most, point.c);
  if (result.points.empty()) return result;
  const auto count = static_cast<double>(result.points.size());
  result.rms = std::sqrt(squares / count), result.bias = sum / count;
  result.decades = std::log10(farthest / most);
  return result;
}

}  // namespace hyscale::analysis
