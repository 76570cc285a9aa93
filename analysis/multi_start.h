#pragma once

#include <vector>

#include "analysis/minimise.h"

namespace hyscale::analysis {

struct MultiStart {
  Minimum best = {};
  std::vector<Minimum> optima = {};  // distinct ones, best first, at most three; the best is among them
  int starts = 0;
  int starts_at_best = 0;  // within 1e-6 of the best objective
};

/// Fits from a grid over (alpha, beta, E), with A and B solved by non-negative least squares at each grid point.
MultiStart fit_from_grid(const ChinchillaObjective& objective, const std::vector<Point>& points);

/// The best of the fits that start from the given minima: what a bootstrap resample needs.
Minimum refit(const ChinchillaObjective& objective, const std::vector<ChinchillaLaw>& starts);

}  // namespace hyscale::analysis
