#pragma once

#include <Eigen/Core>
#include <vector>

namespace hyscale::analysis {

struct Line {
  double offset = 0, slope = 0;
};
/// Least squares, weighted when there are weights; needs two distinct x.
Line fit_line(const std::vector<double>& x, const std::vector<double>& y, const std::vector<double>& weights = {});

struct Quadratic {
  double c0 = 0, c1 = 0, c2 = 0;
};
/// What ordinary least squares of a quadratic over these x, three of them distinct and best near zero, does with any y.
class QuadraticBasis {
 public:
  using Columns = Eigen::Matrix<double, Eigen::Dynamic, 3>;
  explicit QuadraticBasis(const std::vector<double>& x);
  Quadratic fit(const std::vector<double>& y) const;
  const Columns& orthonormal() const { return q_; }  // [x.size(), 3], spans 1, x, x^2

 private:
  Columns q_;
  Eigen::Matrix3d inverse_r_;
};
/// Ordinary least squares of c0 + c1 x + c2 x^2; needs three distinct x, best near zero.
Quadratic fit_quadratic(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace hyscale::analysis
