#pragma once

#include <utility>
#include <vector>

#include "storage/files/run_directory.h"

namespace hyscale::analysis {

/// Mean training loss in bins of equal width in log(tokens), at most `bins`: what a figure with a logarithmic axis can
/// show. Each bin stands at the tokens of its last step. Steps whose loss is not finite are left out.
std::vector<std::pair<double, double>> thinned_losses(const std::vector<storage::StepRow>& steps, int bins = 160);

}  // namespace hyscale::analysis
