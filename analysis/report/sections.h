#pragma once

#include <string>

#include "analysis/report/findings.h"

namespace hyscale::analysis {

/// The report's parts that are text and tables, as HTML.
std::string headline_section(const Analysis& analysis);
std::string optimum_table(const Analysis& analysis);
std::string fit_section(const Analysis& analysis);
std::string runs_section(const Dataset& data);
std::string limits_section(const Analysis& analysis);
std::string provenance_section(const Analysis& analysis, const std::string& created);

}  // namespace hyscale::analysis
