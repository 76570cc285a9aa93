#pragma once

#include <vector>

#include "analysis/points.h"

namespace hyscale::analysis {

/// FLOPs per token as a function of N for one family, from the points' own C and D. Attention, scan and output head
/// make it something other than 6 N, so optima use this and not C = 6 N D.
class CostCurve {
 public:
  /// Points of one N are averaged (geometric mean of C / D). Needs at least one point.
  explicit CostCurve(const std::vector<Point>& points);
  /// Linear in (ln N, ln C/D) between the sizes; beyond them the nearest segment's slope goes on.
  double flops_per_token(double n) const;
  double tokens(double n, double flops) const { return flops / flops_per_token(n); }

 private:
  std::vector<double> log_n_, log_cost_;
};

}  // namespace hyscale::analysis
