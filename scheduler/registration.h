#pragma once

#include <optional>
#include <string>
#include <vector>

#include "scheduler/settings.h"
#include "storage/db/database.h"
#include "studies/plan.h"

namespace hyscale::scheduler {

/// All that the database knows of a study before anything runs.
struct Registration {
  storage::StudyRow study;
  std::vector<storage::RunRow> runs = {};  // each id once, trunks before their branches
  std::vector<storage::CellRow> cells = {};
  std::vector<storage::RejectedRow> rejected = {};
};
storage::RunFigures figures_of(const spec::RunConfig& config, const spec::Account& account);
Registration registration_of(const studies::Plan& plan, const Settings& settings);

/// What a submission adds to a study that is there already.
struct Extension {
  int new_cells = 0, kept_cells = 0;
  int dropped_cells = 0;  // no longer in the spec; they stay in the study
  int new_runs = 0;       // unknown to the whole store
  int done_runs = 0;      // of the spec's runs: trained already, by whichever study
};
Extension extension(const storage::Database& database, const Registration& registration);

/// Adds it to the database in one transaction: new cells and runs are added, nothing is taken away.
void add_to_database(storage::Database& database, const Registration& registration);

/// STORE/studies/NAME: spec.yaml, base.yaml, plan.json for people, study.json from which the database is rebuilt.
std::string study_directory(const std::string& store, const std::string& study);
void write_archive(const std::string& store, const Registration& registration, const std::string& plan_json);
/// Throws DamagedFile.
Registration read_archive(const std::string& store, const std::string& study);
std::vector<std::string> archived_studies(const std::string& store);
/// What the archive holds and the new registration lacks comes along: nothing is forgotten.
Registration merged(Registration fresh, const Registration& before);

}  // namespace hyscale::scheduler
