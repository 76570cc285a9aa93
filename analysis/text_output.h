#pragma once

#include <string>

#include "analysis/isoflop.h"
#include "analysis/law_fit.h"
#include "analysis/points.h"

namespace hyscale::analysis {

/// What the commands print for people.
std::string points_text(const PointSet& set);
std::string fits_text(const PointSet& set, const std::vector<FamilyFit>& fits, double confidence);
std::string isoflop_text(const PointSet& set, const std::vector<FamilyIsoFlop>& families, double confidence);

/// The points as a CSV file that `--csv` reads back without `--columns`.
std::string points_csv(const PointSet& set);

}  // namespace hyscale::analysis
