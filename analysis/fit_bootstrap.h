#pragma once

#include "analysis/law_fit.h"

namespace hyscale::analysis {

/// Refits with redrawn weights of the clusters, family by family, each warm-started from `starts`; on all cores.
/// Returns the parameters of the resamples whose fit is finite; the card counts the others.
std::vector<Theta> bootstrap_fits(const Objective& objective, const std::vector<std::vector<Point>>& families,
                                  const std::vector<Theta>& starts, const BootstrapOptions& options, FitCard& card,
                                  const FitProgress& progress);

}  // namespace hyscale::analysis
