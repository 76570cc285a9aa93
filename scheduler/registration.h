#pragma once

#include <optional>
#include <string>
#include <vector>

#include "scheduler/settings.h"
#include "storage/db/archive.h"
#include "storage/db/database.h"
#include "studies/plan.h"

namespace hyscale::scheduler {

using Registration = storage::StudyArchive;
using storage::archived_studies;
using storage::read_archive;
using storage::study_directory;
using storage::write_archive;

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

/// What the archive holds and the new registration lacks comes along: nothing is forgotten.
Registration merged(Registration fresh, const Registration& before);

}  // namespace hyscale::scheduler
