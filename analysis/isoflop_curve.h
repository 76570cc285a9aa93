#pragma once

#include "analysis/cost_curve.h"
#include "analysis/isoflop.h"

namespace hyscale::analysis {

/// One budget's points with their optimum, interior or not, and what is doubtful about it.
IsoFlopCurve fit_curve(std::vector<Point> points, const CostCurve& cost, IsoFlopMethod method);

/// The minimum along N and along D of losses that stand in the order of `points`.
struct Optimum {
  double n = kMissing, d = kMissing, loss = kMissing;  // n and d: 0 or infinite where that side is open
  bool interior = false;                               // in N
  bool closed() const { return n > 0 && n < std::numeric_limits<double>::infinity(); }
};
Optimum optimum(const std::vector<Point>& points, IsoFlopMethod method);

/// The smallest and the largest size.
std::pair<double, double> sizes_spanned(const std::vector<Point>& points);

}  // namespace hyscale::analysis
