#pragma once

#include "analysis/minimise.h"

namespace hyscale::analysis {

struct MultiStart {
  Minimum best = {};
  std::vector<Minimum> optima = {};  // distinct ones, best first, at most three; the best is among them
  int starts = 0;
  int starts_at_best = 0;  // within 1e-6 of the best objective
};

/// Where the minimisations start. `projection`: a grid over the exponents and E with A and B solved by least squares
/// (variable projection), which puts every start near the data. `published`: those and the 4,500 of Hoffmann et al.:
/// alpha, beta in 0 … 2, ln A, ln B in 0 … 25, ln E in -1 … 1.
enum class StartGrid { projection, published };

/// Laws to start one family's fit from.
std::vector<ScalingLaw> starting_laws(const std::vector<Point>& points, const Form& form, StartGrid grid);

/// Fits from every start, on all cores. `starts[i]` are the laws of all families.
MultiStart fit_from(const Objective& objective, const std::vector<std::vector<ScalingLaw>>& starts);

/// The best of the polishings that start from the given laws: what a bootstrap resample needs.
Minimum refit(const Objective& objective, const std::vector<Theta>& starts);

}  // namespace hyscale::analysis
