#pragma once

#include <string>

#include "storage/db/database.h"

namespace hyscale::scheduler {

struct Rebuilt {
  int studies = 0, runs = 0, done = 0, running = 0;
};
/// Makes STORE/results.db again: studies and cells from STORE/studies, results from the run directories' final records,
/// everything else about a run from how its jobs in STORE/jobs ended. Runs that have work left wait for `study submit`;
/// one that was cancelled before it began is taken for such. The old file is kept beside the new one.
Rebuilt rebuild_database(const std::string& store);

/// Takes in one run's final record; false when there is no valid one, or the run is done or active.
bool take_result(storage::Database& database, const std::string& run_id);

/// Takes in every valid final record of the study that the database does not have yet; returns how many.
int collect_results(storage::Database& database, const std::string& study);

}  // namespace hyscale::scheduler
