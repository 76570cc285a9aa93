#pragma once

#include <vector>

namespace hyscale::analysis {

struct Line {
  double offset = 0, slope = 0;
};
/// Ordinary least squares; needs two distinct x.
Line fit_line(const std::vector<double>& x, const std::vector<double>& y);

struct Quadratic {
  double c0 = 0, c1 = 0, c2 = 0;
};
/// Least squares of c0 + c1 x + c2 x^2; needs three distinct x, best near zero. From five points on, Huber weights
/// (threshold 1.345 robust standard deviations) are iterated until they settle.
Quadratic fit_quadratic(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace hyscale::analysis
