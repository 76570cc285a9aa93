#include "analysis/cost_curve.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace hyscale::analysis {

CostCurve::CostCurve(const std::vector<Point>& points) {
  std::map<double, std::vector<double>> by_size;
  for (const Point& point : points) by_size[std::log(point.n)].push_back(std::log(point.c / point.d));
  for (const auto& [log_n, costs] : by_size) {
    double sum = 0;
    for (const double cost : costs) sum += cost;
    log_n_.push_back(log_n);
    log_cost_.push_back(sum / static_cast<double>(costs.size()));
  }
}

double CostCurve::flops_per_token(double n) const {
  const double x = std::log(n);
  if (log_n_.size() == 1) return std::exp(log_cost_[0] + x - log_n_[0]);  // one size: cost grows like N
  const auto after = std::upper_bound(log_n_.begin() + 1, log_n_.end() - 1, x) - log_n_.begin();
  const auto right = static_cast<size_t>(after), left = right - 1;
  const double slope = (log_cost_[right] - log_cost_[left]) / (log_n_[right] - log_n_[left]);
  return std::exp(log_cost_[left] + slope * (x - log_n_[left]));
}

}  // namespace hyscale::analysis
