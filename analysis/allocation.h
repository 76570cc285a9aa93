#pragma once

#include <vector>

#include "analysis/cost_curve.h"
#include "analysis/law_fit.h"

namespace hyscale::analysis {

/// The N that minimises the law's loss when `flops` are spent under the true cost curve; NaN when the loss still falls
/// at the edge of the searched range (a thousandth of the smallest to a thousand times the largest N trained).
double best_size(const ScalingLaw& law, const CostCurve& cost, const std::vector<Point>& points, double flops);

/// One allocation per budget, with intervals from the laws of the fit's bootstrap.
std::vector<Allocation> allocate(const FamilyFit& fit, const std::vector<Point>& points,
                                 const std::vector<double>& budgets, double confidence);

}  // namespace hyscale::analysis
