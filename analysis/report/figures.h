#pragma once

#include <string>

#include "analysis/report/findings.h"

namespace hyscale::analysis {

/// Each figure as a complete <figure> with legend and caption; "" when there is nothing to draw.
std::string isoflop_figure(const Analysis& analysis);  // one panel a family: loss against N, colour is the budget
std::string optimum_figure(const Analysis& analysis);  // N* and loss* against the budget, colour is the family
std::string training_figure(const Dataset& data);      // one panel a family: loss against tokens, colour is the size

}  // namespace hyscale::analysis
