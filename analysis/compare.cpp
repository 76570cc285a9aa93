#include "analysis/compare.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <gsl/gsl_cdf.h>
#include <map>

#include "analysis/allocation.h"

namespace hyscale::analysis {
namespace {

constexpr size_t kGrid = 25;  // budgets at which a family's best loss is tabulated
constexpr size_t kMostResamples = 400;

// A family's best loss over the logarithm of its budget, inside its support; falls monotonically.
class Frontier {
 public:
  Frontier(const ScalingLaw& law, const CostCurve& cost, const std::vector<Point>& points, double low, double high) {
    for (size_t i = 0; i < kGrid; ++i) {
      log_flops_.push_back(std::lerp(low, high, static_cast<double>(i) / (kGrid - 1)));
      const double flops = std::exp(log_flops_.back()), n = best_size(law, cost, points, flops);
      loss_.push_back(law.loss(n, cost.tokens(n, flops)));
    }
  }
  double log_flops(size_t i) const { return log_flops_[i]; }
  double loss(size_t i) const { return loss_[i]; }
  /// Missing outside the support.
  double log_flops_at(double loss) const {
    for (size_t i = 0; i + 1 < kGrid; ++i)
      if (loss_[i] >= loss && loss >= loss_[i + 1])
        return std::lerp(log_flops_[i], log_flops_[i + 1],
                         std::log(loss_[i] / loss) / std::log(loss_[i] / loss_[i + 1]));
    return kMissing;
  }

 private:
  std::vector<double> log_flops_, loss_;
};

struct Side {
  const FamilyFit& fit;
  std::vector<Point> points;
  CostCurve cost;
  double low, high;  // ln of the budgets trained
  Side(const FamilyFit& of, const std::vector<Point>& all) : fit(of), points(all), cost(all) {
    const auto [least, most] =
        std::minmax_element(all.begin(), all.end(), [](const Point& x, const Point& y) { return x.c < y.c; });
    low = std::log(least->c), high = std::log(most->c);
  }
  Frontier frontier(const ScalingLaw& law) const { return {law, cost, points, low, high}; }
};

// ln of the compute multiplier at each grid budget of the reference; missing outside either support.
std::vector<double> log_multipliers(const Frontier& reference, const Frontier& other) {
  std::vector<double> values;
  for (size_t i = 0; i < kGrid; ++i) values.push_back(reference.log_flops(i) - other.log_flops_at(reference.loss(i)));
  return values;
}

double crossing(const Frontier& reference, const std::vector<double>& log_multiplier) {
  for (size_t i = 0; i + 1 < kGrid; ++i) {
    const double left = log_multiplier[i], right = log_multiplier[i + 1];
    if (left * right < 0)
      return std::exp(std::lerp(reference.log_flops(i), reference.log_flops(i + 1), left / (left - right)));
  }
  return kMissing;
}

void add_multipliers(FamilyPair& pair, const Side& reference, const Side& other) {
  const Frontier base = reference.frontier(reference.fit.law);
  const std::vector<double> best = log_multipliers(base, other.frontier(other.fit.law));
  const size_t resamples = std::min({reference.fit.resampled.size(), other.fit.resampled.size(), kMostResamples});
  std::vector<std::vector<double>> redrawn(resamples);
  std::vector<double> crossings(resamples);
#pragma omp parallel for
  for (size_t i = 0; i < resamples; ++i) {
    const Frontier from = reference.frontier(reference.fit.resampled[i]);
    redrawn[i] = log_multipliers(from, other.frontier(other.fit.resampled[i]));
    crossings[i] = crossing(from, redrawn[i]);
  }
  for (size_t g = 0; g < kGrid; ++g) {
    if (std::isnan(best[g])) continue;
    std::vector<double> values;
    for (const auto& one : redrawn) values.push_back(std::exp(one[g]));
    pair.multipliers.push_back(
        {std::exp(base.log_flops(g)), base.loss(g), std::exp(best[g]), percentile_interval(values, 0.95)});
  }
  pair.crossover = crossing(base, best);
  pair.crossover_ci95 = percentile_interval(crossings, 0.95);
  if (resamples > 0)
    pair.crossing_share =
        static_cast<double>(std::count_if(crossings.begin(), crossings.end(), [](double at) { return at == at; })) /
        static_cast<double>(resamples);
}

bool close(double x, double y) { return std::abs(std::log(x / y)) < 0.02; }

bool comparable(const Point& x, const Point& y) {
  const bool same_size = x.size.empty() || y.size.empty() ? close(x.n, y.n) : x.size == y.size;
  const bool same_budget = x.budget > 0 && y.budget > 0 ? close(x.budget, y.budget) : close(x.d, y.d);
  return same_size && same_budget && x.seed == y.seed;
}

}  // namespace

PairedDifference compare_pairwise(const std::vector<Point>& reference, const std::vector<Point>& other) {
  PairedDifference found;
  std::vector<double> differences;
  std::vector<bool> taken(other.size());
  for (const Point& point : reference)
    for (size_t i = 0; i < other.size(); ++i) {
      if (taken[i] || !comparable(point, other[i])) continue;
      taken[i] = true;
      differences.push_back(other[i].loss - point.loss);
      break;
    }
  found.pairs = differences.size();
  if (differences.empty()) return found;
  const auto count = static_cast<double>(differences.size());
  double sum = 0, squares = 0;
  for (const double d : differences) sum += d, found.other_lower += d < 0;
  found.mean = sum / count;
  for (const double d : differences) squares += (d - found.mean) * (d - found.mean);
  if (differences.size() < 2) return found;
  const double error = std::sqrt(squares / (count - 1) / count), freedom = count - 1;
  const double reach = gsl_cdf_tdist_Pinv(0.975, freedom) * error;
  found.ci95 = {found.mean - reach, found.mean + reach};
  found.p = error > 0 ? 2 * gsl_cdf_tdist_Q(std::abs(found.mean) / error, freedom) : found.mean == 0;
  return found;
}

Comparison compare_families(const PointSet& set, const FitOptions& options) {
  Comparison comparison;
  FitOptions sharing = options;
  sharing.bootstrap.resamples = 0;
  for (const Joint joint : {Joint::floor, Joint::exponents, Joint::all}) {
    sharing.joint = joint;
    comparison.joint.push_back(fit_jointly(set, sharing));
  }
  FitOptions separate = options;
  separate.joint = Joint::none;
  comparison.families = fit_families(set, separate);
  const Families points = set.by_family();
  for (size_t f = 1; f < points.size(); ++f) {
    FamilyPair& pair = comparison.pairs.emplace_back(FamilyPair{points[0].first, points[f].first});
    pair.paired = compare_pairwise(points[0].second, points[f].second);
    const FamilyFit &first = comparison.families[0], &second = comparison.families[f];
    if (first.fitted && second.fitted) add_multipliers(pair, {first, points[0].second}, {second, points[f].second});
  }
  return comparison;
}

}  // namespace hyscale::analysis
