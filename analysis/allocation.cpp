#include "analysis/allocation.h"

#include <algorithm>
#include <cmath>

namespace hyscale::analysis {

double best_size(const ChinchillaLaw& law, const CostCurve& cost, const std::vector<Point>& points, double flops) {
  const auto [small, large] =
      std::minmax_element(points.begin(), points.end(), [](const Point& x, const Point& y) { return x.n < y.n; });
  const double low = std::log(small->n / 1000), high = std::log(large->n * 1000);
  const auto loss_at = [&](double log_n) {
    const double n = std::exp(log_n);
    return law.loss(n, cost.tokens(n, flops));
  };
  double left = low, right = high;
  const double golden = (std::sqrt(5.0) - 1) / 2;
  while (right - left > 1e-7) {
    const double one = right - golden * (right - left), two = left + golden * (right - left);
    if (loss_at(one) < loss_at(two))
      right = two;
    else
      left = one;
  }
  const double log_n = (left + right) / 2;
  const bool at_edge = log_n - low < 1e-3 || high - log_n < 1e-3;
  return at_edge ? kMissing : std::exp(log_n);
}

std::vector<Allocation> allocate(const ChinchillaLaw& law, const std::vector<ChinchillaLaw>& resampled,
                                 const std::vector<Point>& points, const std::vector<double>& budgets,
                                 double confidence) {
  const CostCurve cost(points);
  double most = 0;
  for (const Point& point : points) most = std::max(most, point.c);
  std::vector<Allocation> allocations;
  for (const double budget : budgets) {
    Allocation at{.budget = budget, .extrapolation = std::log10(budget / most)};
    at.n = best_size(law, cost, points, budget);
    at.d = cost.tokens(at.n, budget);
    at.loss = law.loss(at.n, at.d);
    std::vector<double> n, d, loss;
    for (const ChinchillaLaw& other : resampled) {
      n.push_back(best_size(other, cost, points, budget));
      d.push_back(cost.tokens(n.back(), budget));
      loss.push_back(other.loss(n.back(), d.back()));
    }
    at.n_interval = percentile_interval(std::move(n), confidence);
    at.d_interval = percentile_interval(std::move(d), confidence);
    at.loss_interval = percentile_interval(std::move(loss), confidence);
    allocations.push_back(at);
  }
  return allocations;
}

}  // namespace hyscale::analysis
