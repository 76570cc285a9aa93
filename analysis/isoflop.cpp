#include "analysis/isoflop.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>

#include "analysis/cost_curve.h"
#include "analysis/isoflop_curve.h"
#include "analysis/isoflop_noise.h"
#include "analysis/isoflop_redraw.h"
#include "analysis/least_squares.h"
#include "analysis/misfit.h"

namespace hyscale::analysis {
namespace {

constexpr double kSumTolerance = 0.02;

void fit_power_laws(FamilyIsoFlop& family) {
  std::vector<double> budgets, n, d;
  for (const IsoFlopCurve& curve : family.curves)
    if (curve.interior && std::isfinite(curve.d))
      budgets.push_back(curve.budget), n.push_back(curve.n), d.push_back(curve.d);
  family.size_law = power_law(budgets, n);
  family.token_law = power_law(budgets, d);
  const double sum = family.size_law.exponent + family.token_law.exponent;
  if (std::abs(sum - 1) > kSumTolerance)
    family.warnings.push_back(fmt::format(
        "a + b = {:.3f}, not 1: the minima along N and along D do not belong to one allocation, or C is not "
        "proportional to N D; trust neither exponent further than that gap, and compare with analyze fit",
        sum));
  if (!family.size_law.known)
    family.warnings.push_back(
        fmt::format("{} budget(s) with an interior minimum: a power law needs two", budgets.size()));
}

}  // namespace

PowerLaw power_law(const std::vector<double>& budgets, const std::vector<double>& values) {
  PowerLaw law{.budgets = budgets.size()};
  if (budgets.size() < 2) return law;
  std::vector<double> x, y;
  for (size_t i = 0; i < budgets.size(); ++i) x.push_back(std::log(budgets[i])), y.push_back(std::log(values[i]));
  const Line line = fit_line(x, y);
  law.known = true;
  law.exponent = line.slope;
  law.log_factor = line.offset;
  return law;
}

double PowerLaw::at(double flops) const { return std::exp(log_factor + exponent * std::log(flops)); }

const char* name_of(IsoFlopMethod method) { return method == IsoFlopMethod::parabola ? "parabola" : "akima"; }

std::vector<FamilyIsoFlop> fit_isoflop(const PointSet& set, const IsoFlopOptions& options) {
  std::vector<FamilyIsoFlop> families;
  for (auto& [name, all] : set.by_family()) {
    const CostCurve cost(all);
    FamilyIsoFlop family{.family = name};
    std::map<double, std::vector<Point>> curves;
    for (const Point& point : all)
      if (point.budget > 0) curves[point.budget].push_back(point);
    for (auto& [budget, points] : curves) family.curves.push_back(fit_curve(std::move(points), cost, options.method));
    if (family.curves.empty()) family.warnings.emplace_back("no point names a FLOP budget");
    family.noise = noise_about(family.curves);
    fit_power_laws(family);
    add_intervals(family, families.size(), options);
    families.push_back(std::move(family));
  }
  mark_misfits(families);
  return families;
}

}  // namespace hyscale::analysis
