#include "analysis/isoflop_curve.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <set>

#include "analysis/akima.h"
#include "analysis/axis_search.h"
#include "analysis/least_squares.h"

namespace hyscale::analysis {
namespace {

constexpr double kUnbounded = std::numeric_limits<double>::infinity();

// The points stand by ascending size.
std::pair<double, double> sizes_spanned(const IsoFlopCurve& curve) {
  return {curve.points.front().n, curve.points.back().n};
}

size_t distinct_sizes(const IsoFlopCurve& curve) {
  size_t count = 1;
  for (size_t i = 1; i < curve.points.size(); ++i) count += curve.points[i].n != curve.points[i - 1].n;
  return count;
}

void describe_shape(IsoFlopCurve& curve) {
  std::set<double> below, above;
  for (const Point& point : curve.points) (point.n < curve.n ? below : above).insert(point.n);
  curve.sizes_below = static_cast<int>(below.size());
  curve.sizes_above = static_cast<int>(above.size());
  const auto [low, high] = sizes_spanned(curve);
  if (!curve.interior) {
    curve.warnings.push_back(
        fmt::format("the minimum lies outside the sizes trained, {:.3g} to {:.3g}: add {} models; this budget is left "
                    "out of N*(C)",
                    low, high, curve.n <= low ? "smaller" : "larger"));
    return;
  }
  if (curve.sizes_below < 2 || curve.sizes_above < 2)
    curve.warnings.push_back(fmt::format("{} size(s) below and {} above the minimum: the side with one is weakly held",
                                         curve.sizes_below, curve.sizes_above));
  const double width = std::log10(high / low), shift = std::log10(curve.n) - (std::log10(low) + std::log10(high)) / 2;
  if (std::abs(shift) > 0.2 * width)
    curve.warnings.push_back(
        fmt::format("the minimum stands {:.0f}% of the way through the sizes: a lopsided parabola is biased; add {} "
                    "models",
                    100 * (0.5 + shift / width), shift < 0 ? "smaller" : "larger"));
}

void warn_of_width(IsoFlopCurve& curve) {
  constexpr double kWide = 32;  // ± a factor of 6 in N and more: a parabola is no longer the law's shape
  const auto [low, high] = sizes_spanned(curve);
  if (high / low > kWide)
    curve.warnings.push_back(fmt::format(
        "the sizes span a factor of {:.0f}: a parabola over more than {:.0f} is biased (5 % in D* where the law is "
        "Chinchilla's); compare with analyze fit, or keep to sizes near the minimum with --where",
        high / low, kWide));
}

std::pair<AxisMinimum, AxisMinimum> minima(const IsoFlopCurve& curve, IsoFlopMethod method) {
  const std::vector<double> losses = losses_of(curve.points);
  return {AxisSearch(curve.points, &Point::n, method).minimum(losses),
          AxisSearch(curve.points, &Point::d, method).minimum(losses)};
}

void fit_by_parabola(IsoFlopCurve& curve) {
  curve.opens_upwards = curve.parabola.c2 > 0;
  if (!curve.opens_upwards) {
    curve.warnings.emplace_back("opens downwards: no minimum; add sizes on both sides of the lowest loss");
    return;
  }
  const auto [along_n, along_d] = minima(curve, IsoFlopMethod::parabola);
  curve.n = along_n.at, curve.loss = along_n.loss, curve.interior = along_n.interior;
  curve.d = std::isfinite(along_d.at) && along_d.at > 0 ? along_d.at : kMissing;
  const double reach = std::sqrt(kPlateau * curve.loss / curve.parabola.c2);  // in ln N
  curve.plateau = {curve.n * std::exp(-reach), curve.n * std::exp(reach)};
  describe_shape(curve);
  warn_of_width(curve);
}

void fit_by_akima(IsoFlopCurve& curve, size_t sizes) {
  if (sizes < kFewestForAkima) {
    curve.fitted = false;
    curve.warnings.push_back(
        fmt::format("{} sizes only; Akima's interpolation needs {}: use --method parabola", sizes, kFewestForAkima));
    return;
  }
  curve.opens_upwards = true;
  const auto [along_n, along_d] = minima(curve, IsoFlopMethod::akima);
  curve.interior = along_n.interior, curve.loss = along_n.loss;
  const auto [low, high] = sizes_spanned(curve);
  curve.n = along_n.interior ? along_n.at : along_n.at > 0 ? high : low;
  if (along_d.interior) curve.d = along_d.at;
  describe_shape(curve);
}

}  // namespace

IsoFlopCurve fit_curve(std::vector<Point> points, const CostCurve& cost, IsoFlopMethod method) {
  std::stable_sort(points.begin(), points.end(), [](const Point& x, const Point& y) { return x.n < y.n; });
  IsoFlopCurve curve{.family = points.front().family, .budget = points.front().budget, .points = std::move(points)};
  const size_t sizes = distinct_sizes(curve);
  if (sizes < 3) {
    curve.warnings.push_back(fmt::format("{} sizes only; a parabola needs 3, and 5 to be worth trusting", sizes));
    return curve;
  }
  curve.fitted = true;
  curve.parabola = fit_parabola(curve.points);
  method == IsoFlopMethod::parabola ? fit_by_parabola(curve) : fit_by_akima(curve, sizes);
  if (curve.n == curve.n) curve.d_by_cost = cost.tokens(curve.n, curve.budget);
  return curve;
}

Parabola fit_parabola(const std::vector<Point>& points, double Point::*axis) {
  Parabola parabola;
  for (const Point& point : points) parabola.center += std::log(point.*axis) / static_cast<double>(points.size());
  const Quadratic fit = fit_quadratic(parabola.places(points, axis), losses_of(points));
  parabola.c0 = fit.c0, parabola.c1 = fit.c1, parabola.c2 = fit.c2;
  return parabola;
}

std::vector<double> Parabola::places(const std::vector<Point>& points, double Point::*axis) const {
  std::vector<double> x;
  for (const Point& point : points) x.push_back(std::log(point.*axis) - center);
  return x;
}

double Parabola::at(double n) const {
  const double x = std::log(n) - center;
  return c0 + x * (c1 + x * c2);
}

double Parabola::vertex() const {
  if (c2 > 0) return std::exp(center - c1 / (2 * c2));
  return c1 < 0 ? kUnbounded : 0;
}

}  // namespace hyscale::analysis
