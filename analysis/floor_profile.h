#pragma once

#include "analysis/law_fit.h"

namespace hyscale::analysis {

/// Refits with E held at values about the best, for forms that leave E free; empty for others.
FloorProfile profile_floor(const std::vector<Point>& points, const ScalingLaw& best, const FitCard& card,
                           const FitOptions& options);

}  // namespace hyscale::analysis
