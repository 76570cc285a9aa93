#pragma once

#include "analysis/cost_curve.h"
#include "analysis/isoflop.h"

namespace hyscale::analysis {

/// One budget's points with their optimum, interior or not, and what is doubtful about it.
IsoFlopCurve fit_curve(std::vector<Point> points, const CostCurve& cost, IsoFlopMethod method);

}  // namespace hyscale::analysis
