#pragma once

#include "analysis/points.h"

namespace hyscale::analysis {

/// Where no point names a budget: points whose C agree within 2 % become one. Each budget is the geometric mean of its
/// points' C. Groups of fewer than three sizes stay without a budget; a notice says what was done.
void group_by_flops(PointSet& set);

}  // namespace hyscale::analysis
