#pragma once

#include "analysis/isoflop.h"

namespace hyscale::analysis {

/// Moments of the residuals about the parabolas of all fitted curves together: each parabola spends three degrees of
/// freedom; the shared part comes from the products of residuals within a cluster, under the expectations that both
/// moments have when residuals are what the parabolas leave of noise sigma^2 (I + shared K), K joining clusters.
IsoFlopNoise noise_about(const std::vector<IsoFlopCurve>& curves);

}  // namespace hyscale::analysis
