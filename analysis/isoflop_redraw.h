#pragma once

#include "analysis/isoflop.h"

namespace hyscale::analysis {

/// y = factor * C^exponent through the given places; known from two on.
PowerLaw power_law(const std::vector<double>& budgets, const std::vector<double>& values);

/// Adds the intervals of a family whose curves and scatter are known. `index` sets its random numbers apart from those
/// of the other families.
void add_intervals(FamilyIsoFlop& family, size_t index, const IsoFlopOptions& options);

}  // namespace hyscale::analysis
