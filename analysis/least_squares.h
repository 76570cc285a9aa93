#pragma once

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
/// Ordinary least squares of c0 + c1 x + c2 x^2; needs three distinct x, best near zero.
Quadratic fit_quadratic(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace hyscale::analysis
