#include "analysis/isoflop.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <map>

#include "analysis/cost_curve.h"
#include "analysis/isoflop_curve.h"
#include "analysis/least_squares.h"
#include "analysis/misfit.h"

namespace hyscale::analysis {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr size_t kMostRedrawn = 20'000'000, kFewest = 40;  // points of all redraws together; redraws in any case
constexpr double kSumTolerance = 0.02;
constexpr double kOpenEnd = 30;  // a vertex this many times beyond the sizes trained counts as not closed

// Pooled over the family's budgets: each parabola spends three degrees of freedom.
void estimate_noise(FamilyIsoFlop& family) {
  double squares = 0;
  for (const IsoFlopCurve& curve : family.curves) {
    if (!curve.fitted) continue;
    family.degrees_of_freedom += static_cast<int>(curve.points.size()) - 3;
    for (const Point& point : curve.points) {
      const double residual = point.loss - curve.parabola.at(point.n);
      squares += residual * residual;
    }
  }
  if (family.degrees_of_freedom > 0) family.noise = std::sqrt(squares / family.degrees_of_freedom);
}

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

// What one redraw of the losses makes of every curve.
struct Replicates {
  std::vector<std::vector<double>> n, d, loss;  // [curve][resample]
  std::vector<double> size_exponent, token_exponent;
};

double open_or_closed(double vertex, const std::vector<Point>& points) {
  const auto [low, high] = sizes_spanned(points);
  if (vertex > high * kOpenEnd) return kInfinity;
  return vertex < low / kOpenEnd ? 0 : vertex;
}

void redraw(const FamilyIsoFlop& family, IsoFlopMethod method, std::mt19937_64& random, Replicates& out) {
  const int freedom = family.degrees_of_freedom;
  const double spread = family.noise * std::sqrt(freedom / std::chi_squared_distribution<double>(freedom)(random));
  std::normal_distribution<double> noise(0, spread);
  std::vector<double> budgets, n, d;
  for (size_t i = 0; i < family.curves.size(); ++i) {
    const IsoFlopCurve& curve = family.curves[i];
    if (!curve.fitted || !curve.opens_upwards) continue;
    std::vector<Point> points = curve.points;
    const bool about_parabola = method == IsoFlopMethod::parabola;
    for (Point& point : points) point.loss = (about_parabola ? curve.parabola.at(point.n) : point.loss) + noise(random);
    const Optimum best = optimum(points, method);
    out.n[i].push_back(open_or_closed(best.n, points));
    const bool closed = out.n[i].back() > 0 && std::isfinite(out.n[i].back());
    out.d[i].push_back(closed ? best.d : out.n[i].back() > 0 ? 0 : kInfinity);
    out.loss[i].push_back(best.loss);
    if (curve.interior && closed && best.d > 0 && std::isfinite(best.d))
      budgets.push_back(curve.budget), n.push_back(best.n), d.push_back(best.d);
  }
  out.size_exponent.push_back(power_law(budgets, n).exponent);
  out.token_exponent.push_back(power_law(budgets, d).exponent);
}

// 1 / variance of the logarithm; 0 where a redraw leaves the optimum open.
double weight_of(const std::vector<double>& replicates) {
  double sum = 0, squares = 0;
  for (const double value : replicates) sum += std::log(value);
  const double mean = sum / static_cast<double>(replicates.size());
  for (const double value : replicates) squares += (std::log(value) - mean) * (std::log(value) - mean);
  const double weight = static_cast<double>(replicates.size()) / squares;
  return std::isfinite(weight) ? weight : 0;
}

void add_weighted(PowerLaw& law, const FamilyIsoFlop& family, const std::vector<std::vector<double>>& replicates,
                  double IsoFlopCurve::*value) {
  std::vector<double> x, y, weights;
  for (size_t i = 0; i < family.curves.size(); ++i) {
    const IsoFlopCurve& curve = family.curves[i];
    const double weight = curve.interior && std::isfinite(curve.d) ? weight_of(replicates[i]) : 0;
    if (weight > 0) x.push_back(std::log(curve.budget)), y.push_back(std::log(curve.*value)), weights.push_back(weight);
  }
  if (x.size() >= 2) law.weighted_exponent = fit_line(x, y, weights).slope;
}

void add_intervals(FamilyIsoFlop& family, size_t index, IsoFlopMethod method, const BootstrapOptions& options) {
  if (family.degrees_of_freedom == 0) {
    family.warnings.emplace_back(
        "no budget has more than three points, so that nothing is left to estimate noise from: no intervals");
    return;
  }
  const size_t curves = family.curves.size();
  Replicates replicates{.n = std::vector<std::vector<double>>(curves),
                        .d = std::vector<std::vector<double>>(curves),
                        .loss = std::vector<std::vector<double>>(curves),
                        .size_exponent = {},
                        .token_exponent = {}};
  std::seed_seq seeds{options.seed & 0xffffffff, options.seed >> 32, uint64_t{index}};
  std::mt19937_64 random(seeds);
  size_t points = 1;
  for (const IsoFlopCurve& curve : family.curves) points += curve.points.size();
  const int resamples =
      static_cast<int>(std::min(static_cast<size_t>(options.resamples), kMostRedrawn / points + kFewest));
  for (int i = 0; i < resamples; ++i) redraw(family, method, random, replicates);
  add_weighted(family.size_law, family, replicates.n, &IsoFlopCurve::n);
  add_weighted(family.token_law, family, replicates.d, &IsoFlopCurve::d);
  for (size_t i = 0; i < curves; ++i) {
    IsoFlopCurve& curve = family.curves[i];
    curve.n_interval = percentile_interval(std::move(replicates.n[i]), options.confidence);
    curve.d_interval = percentile_interval(std::move(replicates.d[i]), options.confidence);
    curve.loss_interval = percentile_interval(replicates.loss[i], options.confidence);
    curve.loss_replicates = std::move(replicates.loss[i]);
  }
  const auto set_intervals = [&](PowerLaw& law, const std::vector<double>& exponents) {
    law.exponent_interval = percentile_interval(exponents, options.confidence);
    law.exponent_ci80 = percentile_interval(exponents, 0.80);
    law.exponent_ci95 = percentile_interval(exponents, 0.95);
  };
  set_intervals(family.size_law, replicates.size_exponent);
  set_intervals(family.token_law, replicates.token_exponent);
}

}  // namespace

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
    estimate_noise(family);
    fit_power_laws(family);
    add_intervals(family, families.size(), options.method, options.bootstrap);
    families.push_back(std::move(family));
  }
  mark_misfits(families);
  return families;
}

}  // namespace hyscale::analysis
