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

QuadraticBasis::QuadraticBasis(const std::vector<double>& x) {
  Columns powers(static_cast<Eigen::Index>(x.size()), 3);
  Eigen::Index i = 0;
  for (const double value : x) powers.row(i++) << 1, value, value * value;
  const Eigen::HouseholderQR<Columns> factors(powers);
  q_ = factors.householderQ() * Columns::Identity(powers.rows(), 3);
  const Eigen::Matrix3d r = factors.matrixQR().topRows<3>().triangularView<Eigen::Upper>();
  inverse_r_ = r.triangularView<Eigen::Upper>().solve(Eigen::Matrix3d::Identity());
}

Quadratic QuadraticBasis::fit(const std::vector<double>& y) const {
  const Eigen::Map<const Eigen::VectorXd> values(y.data(), static_cast<Eigen::Index>(y.size()));
  const Eigen::Vector3d solution = inverse_r_ * (q_.transpose() * values);
  return {solution(0), solution(1), solution(2)};
}

Quadratic fit_quadratic(const std::vector<double>& x, const std::vector<double>& y) { return QuadraticBasis(x).fit(y); }

}  // namespace hyscale::analysis
