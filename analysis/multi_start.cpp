#include "analysis/multi_start.h"

#include <algorithm>
#include <cmath>

namespace hyscale::analysis {
namespace {

constexpr size_t kKeptOptima = 3;

bool as_good(double value, double best) { return value - best <= 1e-6 * (1 + best); }

// Least squares of the relative residual (E + A u + B v - L) / L over A, B >= 0, u = N^-alpha, v = D^-beta.
ChinchillaLaw with_solved_terms(const std::vector<Point>& points, ChinchillaLaw law) {
  double uu = 0, uv = 0, vv = 0, ur = 0, vr = 0;
  for (const Point& point : points) {
    const double u = std::pow(point.n, -law.alpha) / point.loss, v = std::pow(point.d, -law.beta) / point.loss;
    const double r = 1 - law.e / point.loss;
    uu += u * u, uv += u * v, vv += v * v, ur += u * r, vr += v * r;
  }
  const double determinant = uu * vv - uv * uv;
  law.a = (ur * vv - vr * uv) / determinant;
  law.b = (vr * uu - ur * uv) / determinant;
  // a term that wants to be negative starts small instead, so that its logarithm exists
  if (!(law.a > 0)) law.b = vr / vv, law.a = 1e-3 * ur / uu;
  if (!(law.b > 0)) law.a = ur / uu, law.b = 1e-3 * vr / vv;
  return law;
}

}  // namespace

MultiStart fit_from_grid(const ChinchillaObjective& objective, const std::vector<Point>& points) {
  double least = points.front().loss;
  for (const Point& point : points) least = std::min(least, point.loss);
  std::vector<Minimum> minima;
  for (const double alpha : {0.1, 0.2, 0.35, 0.55, 0.85, 1.3})
    for (const double beta : {0.1, 0.2, 0.35, 0.55, 0.85, 1.3})
      for (const double share : {0.05, 0.35, 0.65, 0.85, 0.96}) {
        const ChinchillaLaw start{.e = share * least, .alpha = alpha, .beta = beta};
        minima.push_back(minimise(objective, objective.theta(with_solved_terms(points, start))));
      }
  std::erase_if(minima, [](const Minimum& minimum) { return !std::isfinite(minimum.value); });
  std::stable_sort(minima.begin(), minima.end(), [](const Minimum& x, const Minimum& y) { return x.value < y.value; });
  MultiStart result{.best = minima.front(), .optima = {}, .starts = 6 * 6 * 5};
  for (const Minimum& minimum : minima) {
    if (as_good(minimum.value, result.best.value)) ++result.starts_at_best;
    const bool known = !result.optima.empty() && as_good(minimum.value, result.optima.back().value);
    if (!known && result.optima.size() < kKeptOptima) result.optima.push_back(minimum);
  }
  return result;
}

Minimum refit(const ChinchillaObjective& objective, const std::vector<ChinchillaLaw>& starts) {
  Minimum best;
  for (const ChinchillaLaw& start : starts) {
    const Minimum minimum = polish(objective, objective.theta(start));
    if (&start == &starts.front() || minimum.value < best.value) best = minimum;
  }
  return best;
}

}  // namespace hyscale::analysis
