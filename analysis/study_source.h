#pragma once

#include <string>
#include <vector>

#include "storage/db/results.h"
#include "storage/db/rows.h"

namespace hyscale::analysis {

/// Where a study's results are read: in the database, or in its archive and run directories alone, as a job on a
/// cluster does, which must not open a database that others write.
enum class ReadFrom { database, directories };

/// What analysis knows of a study.
struct StudySource {
  storage::StudyRow study;
  std::vector<storage::ResultRow> results;  // in the study's order
  std::vector<storage::RunRow> runs;        // for their configs
  std::vector<storage::RejectedRow> rejected;
};
/// Throws ConfigError with the known names when the store has no such study.
StudySource read_study(const std::string& store, const std::string& study, ReadFrom where);

}  // namespace hyscale::analysis
