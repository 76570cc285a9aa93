#pragma once

#include <string>
#include <vector>

#include "storage/db/rows.h"

namespace hyscale::storage {

/// All that is known of a study before anything runs.
struct StudyArchive {
  StudyRow study;
  std::vector<RunRow> runs = {};  // each id once, trunks before their branches
  std::vector<CellRow> cells = {};
  std::vector<RejectedRow> rejected = {};
};

/// STORE/studies/NAME: spec.yaml, base.yaml, plan.json for people; study.json, from which the database is rebuilt and
/// which is read where the database is not.
std::string study_directory(const std::string& store, const std::string& study);
void write_archive(const std::string& store, const StudyArchive& archive, const std::string& plan_json);
/// Throws IoError, DamagedFile.
StudyArchive read_archive(const std::string& store, const std::string& study);
std::vector<std::string> archived_studies(const std::string& store);

}  // namespace hyscale::storage
