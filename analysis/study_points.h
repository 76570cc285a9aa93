#pragma once

#include <string>
#include <vector>

#include "analysis/dataset.h"
#include "analysis/study_settings.h"

namespace hyscale::analysis {

/// Every planned run of a study. Runs with other contexts or other settings of the axes are families of their own.
std::vector<RunSummary> summaries(const StudySource& source, const StudySettings& settings,
                                  const Conventions& conventions);

/// The finished runs among them, the best learning rate of each cell.
PointSet points_of(const std::vector<RunSummary>& runs, const std::string& study, const Conventions& conventions);

}  // namespace hyscale::analysis
