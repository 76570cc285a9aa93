#include "analysis/allocation.h"

#include <algorithm>
#include <cmath>

#include "analysis/golden_section.h"

namespace hyscale::analysis {
namespace {

constexpr double kReach = 1000;  // how far beyond the sizes trained an optimum is looked for
constexpr double kMoreCompute = 1.01;

// Where one law spends budgets under one cost.
class Spender {
 public:
  Spender(const CostCurve& cost, const std::vector<Point>& points) : cost_(cost) {
    const auto [small, large] =
        std::minmax_element(points.begin(), points.end(), [](const Point& x, const Point& y) { return x.n < y.n; });
    low_ = std::log(small->n / kReach), high_ = std::log(large->n * kReach);
  }

  double loss(const ScalingLaw& law, double n, double flops) const { return law.loss(n, cost_.tokens(n, flops)); }

  double best_size(const ScalingLaw& law, double flops) const {
    const double log_n = golden_section([&](double x) { return loss(law, std::exp(x), flops); }, low_, high_, 1e-7);
    const bool at_edge = log_n - low_ < 1e-3 || high_ - log_n < 1e-3;
    return at_edge ? kMissing : std::exp(log_n);
  }

  // Where a budget 1 % larger reaches the optimum's loss on each side of it.
  Interval plateau(const ScalingLaw& law, double best, double flops) const {
    const double target = loss(law, best, flops);
    const auto edge = [&](double far) {
      double near = std::log(best);
      if (loss(law, std::exp(far), kMoreCompute * flops) < target) return std::exp(far);
      for (int i = 0; i < 50; ++i) {
        const double middle = (near + far) / 2;
        (loss(law, std::exp(middle), kMoreCompute * flops) < target ? near : far) = middle;
      }
      return std::exp(near);
    };
    return std::isnan(best) ? Interval{} : Interval{edge(low_), edge(high_)};
  }

  Spending spend(const FamilyFit& fit, double flops, double confidence) const {
    const ScalingLaw& law = fit.law;
    const std::vector<ScalingLaw>& resampled = fit.resampled;
    Spending at{.n = best_size(law, flops)};
    at.d = cost_.tokens(at.n, flops), at.loss = law.loss(at.n, at.d);
    at.plateau = plateau(law, at.n, flops);
    std::vector<double> n(resampled.size()), d(resampled.size()), loss(resampled.size()), ratio(resampled.size());
#pragma omp parallel for
    for (size_t i = 0; i < resampled.size(); ++i) {
      n[i] = best_size(resampled[i], flops), d[i] = cost_.tokens(n[i], flops);
      loss[i] = resampled[i].loss(n[i], d[i]), ratio[i] = d[i] / n[i];
    }
    const auto interval = [&](double estimate, const std::vector<double>& replicates, double level) {
      return corrected_interval(estimate, replicates, level, fit.card.freedom);
    };
    at.n_interval = interval(at.n, n, confidence), at.d_interval = interval(at.d, d, confidence);
    at.loss_interval = interval(at.loss, loss, confidence);
    at.n_ci80 = interval(at.n, n, 0.80), at.n_ci95 = interval(at.n, n, 0.95);
    at.d_ci80 = interval(at.d, d, 0.80), at.d_ci95 = interval(at.d, d, 0.95);
    const double best = at.tokens_per_parameter();
    at.ratio_ci80 = interval(best, ratio, 0.80), at.ratio_ci95 = interval(best, ratio, 0.95);
    return at;
  }

 private:
  const CostCurve& cost_;
  double low_ = 0, high_ = 0;
};

}  // namespace

double best_size(const ScalingLaw& law, const CostCurve& cost, const std::vector<Point>& points, double flops) {
  return Spender(cost, points).best_size(law, flops);
}

std::vector<Allocation> allocate(const FamilyFit& fit, const std::vector<Point>& points,
                                 const std::vector<double>& budgets, double confidence) {
  std::vector<Point> as_six_n = points;
  for (Point& point : as_six_n) point.c = 6 * point.n * point.d;
  const CostCurve cost(points), six_n(as_six_n);
  double most = 0;
  for (const Point& point : points) most = std::max(most, point.c);
  std::vector<Allocation> allocations;
  for (const double budget : budgets) {
    Allocation at;
    static_cast<Spending&>(at) = Spender(cost, points).spend(fit, budget, confidence);
    at.budget = budget, at.extrapolation = std::log10(budget / most);
    at.six_n_d = Spender(six_n, points).spend(fit, budget, confidence);
    allocations.push_back(std::move(at));
  }
  return allocations;
}

}  // namespace hyscale::analysis
