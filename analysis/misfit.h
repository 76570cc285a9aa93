#pragma once

#include <vector>

#include "analysis/isoflop.h"

namespace hyscale::analysis {

/// Marks families as irregular, with a warning that names the worst run, when their runs scatter about the parabolas by
/// more than a quarter of what a curve rises over its sizes, or by more than three times the other families' median.
/// Scatter whose worst miss is below 0.5 % of the loss is never marked.
void mark_misfits(std::vector<FamilyIsoFlop>& families);

}  // namespace hyscale::analysis
