#pragma once

#include <string>

#include "storage/db/database.h"

namespace hyscale::scheduler {

struct Rebuilt {
  int studies = 0, runs = 0, done = 0, running = 0;
};
/// Makes STORE/results.db again: studies and cells from STORE/studies, results from the run directories' final records,
/// running jobs from STORE/jobs. Runs that have not ended wait for `study submit`; counters start again at 0.
/// The old file is kept beside the new one.
Rebuilt rebuild_database(const std::string& store);

/// Takes in every valid final record of the study that the database does not have yet; returns how many.
int collect_results(storage::Database& database, const std::string& study);

}  // namespace hyscale::scheduler
