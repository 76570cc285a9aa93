#include "analysis/isoflop_curve.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <set>

#include "analysis/akima.h"
#include "analysis/least_squares.h"

namespace hyscale::analysis {
namespace {

constexpr double kUnbounded = std::numeric_limits<double>::infinity();

size_t distinct(const std::vector<Point>& points, double Point::*axis) {
  std::set<double> values;
  for (const Point& point : points) values.insert(point.*axis);
  return values.size();
}

// The minimum along one axis: place (0 or infinite where the data leave it open) and loss there.
struct AxisMinimum {
  double at = kMissing, loss = kMissing;
  bool interior = false;
};

std::pair<double, double> span(const std::vector<Point>& points, double Point::*axis) {
  const auto [low, high] = std::minmax_element(points.begin(), points.end(),
                                               [&](const Point& x, const Point& y) { return x.*axis < y.*axis; });
  return {(*low).*axis, (*high).*axis};
}

AxisMinimum by_parabola(const std::vector<Point>& points, double Point::*axis) {
  if (distinct(points, axis) < 3) return {};
  const Parabola parabola = fit_parabola(points, axis);
  const double vertex = parabola.vertex();
  const auto [low, high] = span(points, axis);
  const bool closed = vertex > 0 && std::isfinite(vertex);
  return {vertex, parabola.at(closed ? vertex : vertex > 0 ? high : low), low < vertex && vertex < high};
}

// ln loss over ln N; of several runs of one size the lowest loss counts.
AxisMinimum by_akima(const std::vector<Point>& points, double Point::*axis) {
  std::map<double, double> lowest;
  for (const Point& point : points) {
    const auto [place, fresh] = lowest.emplace(std::log(point.*axis), std::log(point.loss));
    if (!fresh) place->second = std::min(place->second, std::log(point.loss));
  }
  if (lowest.size() < kFewestForAkima) return {};
  std::vector<double> x, y;
  for (const auto& [place, loss] : lowest) x.push_back(place), y.push_back(loss);
  const AkimaMinimum found = akima_minimum(x, y);
  const double place = found.interior ? std::exp(found.x) : found.x == x.front() ? 0 : kUnbounded;
  return {place, std::exp(found.y), found.interior};
}

void describe_shape(IsoFlopCurve& curve) {
  std::set<double> below, above;
  for (const Point& point : curve.points) (point.n < curve.n ? below : above).insert(point.n);
  curve.sizes_below = static_cast<int>(below.size());
  curve.sizes_above = static_cast<int>(above.size());
  const auto [low, high] = sizes_spanned(curve.points);
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
  const auto [low, high] = sizes_spanned(curve.points);
  if (high / low > kWide)
    curve.warnings.push_back(fmt::format(
        "the sizes span a factor of {:.0f}: a parabola over more than {:.0f} is biased (5 % in D* where the law is "
        "Chinchilla's); compare with analyze fit, or keep to sizes near the minimum with --where",
        high / low, kWide));
}

void fit_by_parabola(IsoFlopCurve& curve) {
  curve.opens_upwards = curve.parabola.c2 > 0;
  if (!curve.opens_upwards) {
    curve.warnings.emplace_back("opens downwards: no minimum; add sizes on both sides of the lowest loss");
    return;
  }
  const AxisMinimum along_n = by_parabola(curve.points, &Point::n), along_d = by_parabola(curve.points, &Point::d);
  curve.n = along_n.at, curve.loss = along_n.loss, curve.interior = along_n.interior;
  curve.d = std::isfinite(along_d.at) && along_d.at > 0 ? along_d.at : kMissing;
  const double reach = std::sqrt(kPlateau * curve.loss / curve.parabola.c2);  // in ln N
  curve.plateau = {curve.n * std::exp(-reach), curve.n * std::exp(reach)};
  describe_shape(curve);
  warn_of_width(curve);
}

void fit_by_akima(IsoFlopCurve& curve) {
  const size_t sizes = distinct(curve.points, &Point::n);
  if (sizes < kFewestForAkima) {
    curve.fitted = false;
    curve.warnings.push_back(
        fmt::format("{} sizes only; Akima's interpolation needs {}: use --method parabola", sizes, kFewestForAkima));
    return;
  }
  curve.opens_upwards = true;
  const AxisMinimum along_n = by_akima(curve.points, &Point::n), along_d = by_akima(curve.points, &Point::d);
  curve.interior = along_n.interior, curve.loss = along_n.loss;
  const auto [low, high] = sizes_spanned(curve.points);
  curve.n = along_n.interior ? along_n.at : along_n.at > 0 ? high : low;
  if (along_d.interior) curve.d = along_d.at;
  describe_shape(curve);
}

}  // namespace

std::pair<double, double> sizes_spanned(const std::vector<Point>& points) { return span(points, &Point::n); }

Optimum optimum(const std::vector<Point>& points, IsoFlopMethod method) {
  const auto along = method == IsoFlopMethod::parabola ? by_parabola : by_akima;
  const AxisMinimum n = along(points, &Point::n), d = along(points, &Point::d);
  return {n.at, d.at, n.loss, n.interior};
}

IsoFlopCurve fit_curve(std::vector<Point> points, const CostCurve& cost, IsoFlopMethod method) {
  std::stable_sort(points.begin(), points.end(), [](const Point& x, const Point& y) { return x.n < y.n; });
  IsoFlopCurve curve{.family = points.front().family, .budget = points.front().budget, .points = std::move(points)};
  const size_t sizes = distinct(curve.points, &Point::n);
  if (sizes < 3) {
    curve.warnings.push_back(fmt::format("{} sizes only; a parabola needs 3, and 5 to be worth trusting", sizes));
    return curve;
  }
  curve.fitted = true;
  curve.parabola = fit_parabola(curve.points);
  method == IsoFlopMethod::parabola ? fit_by_parabola(curve) : fit_by_akima(curve);
  if (curve.n == curve.n) curve.d_by_cost = cost.tokens(curve.n, curve.budget);
  return curve;
}

Parabola fit_parabola(const std::vector<Point>& points, double Point::*axis) {
  Parabola parabola;
  for (const Point& point : points) parabola.center += std::log(point.*axis) / static_cast<double>(points.size());
  std::vector<double> x, y;
  for (const Point& point : points) x.push_back(std::log(point.*axis) - parabola.center), y.push_back(point.loss);
  const Quadratic fit = fit_quadratic(x, y);
  parabola.c0 = fit.c0, parabola.c1 = fit.c1, parabola.c2 = fit.c2;
  return parabola;
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
