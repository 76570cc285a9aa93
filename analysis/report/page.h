#pragma once

#include <string>

#include "analysis/report/findings.h"

namespace hyscale::analysis {

/// The whole report as one HTML file that needs nothing else.
std::string report_page(const Analysis& analysis, const std::string& created);

/// Its twin for programs, with everything that the page shows in full precision.
std::string report_json(const Analysis& analysis, const std::string& created);

/// A summary for a terminal.
std::string report_text(const Analysis& analysis);

}  // namespace hyscale::analysis
