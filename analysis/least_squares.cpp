#include "analysis/least_squares.h"

#include <Eigen/Dense>

namespace hyscale::analysis {

Line fit_line(const std::vector<double>& x, const std::vector<double>& y, const std::vector<double>& weights) {
  const auto weight = [&](size_t i) { return weights.empty() ? 1.0 : weights[i]; };
  double total = 0, mean_x = 0, mean_y = 0, xx = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) total += weight(i), mean_x += weight(i) * x[i], mean_y += weight(i) * y[i];
  mean_x /= total, mean_y /= total;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += weight(i) * (x[i] - mean_x) * (x[i] - mean_x);
    xy += weight(i) * (x[i] - mean_x) * (y[i] - mean_y);
  }
  return {mean_y - xy / xx * mean_x, xy / xx};
}

Quadratic fit_quadratic(const std::vector<double>& x, const std::vector<double>& y) {
  Eigen::Matrix<double, Eigen::Dynamic, 3> powers(static_cast<Eigen::Index>(x.size()), 3);
  Eigen::Index i = 0;
  for (const double value : x) powers.row(i++) << 1, value, value * value;
  const Eigen::Map<const Eigen::VectorXd> losses(y.data(), static_cast<Eigen::Index>(y.size()));
  const Eigen::Vector3d solution = powers.householderQr().solve(losses);
  return {solution(0), solution(1), solution(2)};
}

}  // namespace hyscale::analysis
