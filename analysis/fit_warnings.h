#pragma once

#include "analysis/law_fit.h"

namespace hyscale::analysis {

/// Why the points cannot carry the form; empty when they can.
std::vector<std::string> why_unfit(const FamilyFit& fit, const std::vector<Point>& points);

/// Limits outside which the law says nothing about the data at hand, each with its evidence and remedy.
std::vector<std::string> limits_hit(const ScalingLaw& law, const Form& form, const std::vector<Point>& points);

/// What is doubtful about a fit, each with its evidence and remedy.
std::vector<std::string> fit_warnings(const FamilyFit& fit, const std::vector<Point>& points);

}  // namespace hyscale::analysis
