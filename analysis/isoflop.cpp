#include "analysis/isoflop.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <set>

#include "analysis/cost_curve.h"
#include "analysis/least_squares.h"
#include "analysis/misfit.h"

namespace hyscale::analysis {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kOpenEnd = 30;  // a vertex this many times beyond the sizes trained counts as not closed

std::pair<double, double> span_of(const std::vector<Point>& points) {
  const auto [low, high] =
      std::minmax_element(points.begin(), points.end(), [](const Point& x, const Point& y) { return x.n < y.n; });
  return {low->n, high->n};
}

size_t distinct_sizes(const std::vector<Point>& points) {
  std::set<double> sizes;
  for (const Point& point : points) sizes.insert(point.n);
  return sizes.size();
}

IsoFlopCurve fit_curve(const std::vector<Point>& points, const CostCurve& cost) {
  IsoFlopCurve curve{.family = points.front().family, .budget = points.front().budget, .points = points};
  std::sort(curve.points.begin(), curve.points.end(), [](const Point& x, const Point& y) { return x.n < y.n; });
  const size_t sizes = distinct_sizes(points);
  if (sizes < 3) {
    curve.warnings.push_back(fmt::format("{} sizes only; a parabola needs 3, and 5 to be worth trusting", sizes));
    return curve;
  }
  curve.fitted = true;
  curve.parabola = fit_parabola(points);
  curve.opens_upwards = curve.parabola.c2 > 0;
  if (!curve.opens_upwards) {
    curve.warnings.emplace_back("opens downwards: no minimum; add sizes on both sides of the lowest loss");
    return curve;
  }
  curve.n = curve.parabola.vertex();
  curve.d = cost.tokens(curve.n, curve.budget);
  curve.loss = curve.parabola.at(curve.n);
  const double reach = std::sqrt(kPlateau * curve.loss / curve.parabola.c2);  // in ln N
  curve.plateau = {curve.n * std::exp(-reach), curve.n * std::exp(reach)};
  const auto [low, high] = span_of(points);
  curve.interior = low < curve.n && curve.n < high;
  std::set<double> below, above;
  for (const Point& point : points) (point.n < curve.n ? below : above).insert(point.n);
  curve.sizes_below = static_cast<int>(below.size());
  curve.sizes_above = static_cast<int>(above.size());
  if (!curve.interior)
    curve.warnings.push_back(fmt::format("the minimum lies outside the sizes trained: add {} models",
                                         curve.n <= low ? "smaller" : "larger"));
  else if (curve.sizes_below < 2 || curve.sizes_above < 2)
    curve.warnings.push_back(fmt::format("{} size(s) below and {} above the minimum: the side with one is weakly held",
                                         curve.sizes_below, curve.sizes_above));
  return curve;
}

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
    if (curve.interior) budgets.push_back(curve.budget), n.push_back(curve.n), d.push_back(curve.d);
  family.size_law = power_law(budgets, n);
  family.token_law = power_law(budgets, d);
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
  const auto [low, high] = span_of(points);
  if (vertex > high * kOpenEnd) return kInfinity;
  return vertex < low / kOpenEnd ? 0 : vertex;
}

void redraw(const FamilyIsoFlop& family, const CostCurve& cost, std::mt19937_64& random, Replicates& out) {
  const int freedom = family.degrees_of_freedom;
  const double spread = family.noise * std::sqrt(freedom / std::chi_squared_distribution<double>(freedom)(random));
  std::normal_distribution<double> noise(0, spread);
  std::vector<double> budgets, n, d;
  for (size_t i = 0; i < family.curves.size(); ++i) {
    const IsoFlopCurve& curve = family.curves[i];
    if (!curve.opens_upwards) continue;
    std::vector<Point> points = curve.points;
    for (Point& point : points) point.loss = curve.parabola.at(point.n) + noise(random);
    const Parabola parabola = fit_parabola(points);
    const double vertex = open_or_closed(parabola.vertex(), points);
    const bool closed = vertex > 0 && std::isfinite(vertex);
    out.n[i].push_back(vertex);
    out.d[i].push_back(closed ? cost.tokens(vertex, curve.budget) : vertex > 0 ? 0 : kInfinity);
    const auto [low, high] = span_of(points);
    out.loss[i].push_back(parabola.at(closed ? vertex : vertex > 0 ? high : low));
    if (curve.interior && closed) budgets.push_back(curve.budget), n.push_back(vertex), d.push_back(out.d[i].back());
  }
  out.size_exponent.push_back(power_law(budgets, n).exponent);
  out.token_exponent.push_back(power_law(budgets, d).exponent);
}

void add_intervals(FamilyIsoFlop& family, size_t index, const CostCurve& cost, const BootstrapOptions& options) {
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
  for (int i = 0; i < options.resamples; ++i) redraw(family, cost, random, replicates);
  for (size_t i = 0; i < curves; ++i) {
    IsoFlopCurve& curve = family.curves[i];
    curve.n_interval = percentile_interval(std::move(replicates.n[i]), options.confidence);
    curve.d_interval = percentile_interval(std::move(replicates.d[i]), options.confidence);
    curve.loss_interval = percentile_interval(replicates.loss[i], options.confidence);
    curve.loss_replicates = std::move(replicates.loss[i]);
  }
  const auto set_intervals = [&](PowerLaw& law, const std::vector<double>& exponents) {
    law.exponent_interval = percentile_interval(exponents, options.confidence);
    law.exponent_ci95 = percentile_interval(exponents, 0.95);
  };
  set_intervals(family.size_law, replicates.size_exponent);
  set_intervals(family.token_law, replicates.token_exponent);
}

}  // namespace

double Parabola::at(double n) const {
  const double x = std::log(n) - center;
  return c0 + x * (c1 + x * c2);
}

double Parabola::vertex() const {
  if (c2 > 0) return std::exp(center - c1 / (2 * c2));
  return c1 < 0 ? kInfinity : 0;
}

double PowerLaw::at(double flops) const { return std::exp(log_factor + exponent * std::log(flops)); }

Parabola fit_parabola(const std::vector<Point>& points) {
  Parabola parabola;
  for (const Point& point : points) parabola.center += std::log(point.n) / static_cast<double>(points.size());
  std::vector<double> x, y;
  for (const Point& point : points) x.push_back(std::log(point.n) - parabola.center), y.push_back(point.loss);
  const Quadratic fit = fit_quadratic(x, y);
  parabola.c0 = fit.c0, parabola.c1 = fit.c1, parabola.c2 = fit.c2;
  return parabola;
}

std::vector<FamilyIsoFlop> fit_isoflop(const PointSet& set, const BootstrapOptions& options) {
  std::vector<FamilyIsoFlop> families;
  for (const std::string& name : set.families()) {
    const std::vector<Point> all = set.of(name);
    const CostCurve cost(all);
    FamilyIsoFlop family{.family = name};
    for (const double budget : set.budgets())
      if (const std::vector<Point> points = set.of(name, budget); !points.empty())
        family.curves.push_back(fit_curve(points, cost));
    if (family.curves.empty()) family.warnings.emplace_back("no point names a FLOP budget");
    estimate_noise(family);
    fit_power_laws(family);
    add_intervals(family, families.size(), cost, options);
    families.push_back(std::move(family));
  }
  mark_misfits(families);
  return families;
}

}  // namespace hyscale::analysis
