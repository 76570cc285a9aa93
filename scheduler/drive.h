#pragma once

#include <memory>
#include <string>

#include "cluster/backend.h"
#include "scheduler/settings.h"
#include "storage/db/database.h"

namespace hyscale::scheduler {

/// Carries a local study to its end, unless another living process does.
void drive(const std::string& store, const std::string& study);

/// One round for a study on Slurm, which needs nobody who stays: what has ended is taken in, what may start is put into
/// the queue. False: somebody else is at it, and nothing was done. Throws IoError when Slurm does not answer,
/// ConfigError when it refuses the jobs.
bool reconcile(const std::string& store, const std::string& study);

/// The same where it is only a help: what goes wrong is a warning.
void try_to_reconcile(const std::string& store, const std::string& study);

/// Takes the job that would write the study's report at its end out of Slurm's queue, if there is one.
void withdraw_report(const std::string& store, const std::string& study, const Settings& settings);

/// The back end that a study's jobs are with.
std::unique_ptr<cluster::Backend> backend_for(const std::string& name, const std::string& store,
                                              const std::string& study, const Settings& settings);

/// The settings of a study that the database knows. Throws ConfigError when it does not.
Settings settings_of(const storage::Database& database, const std::string& study);

}  // namespace hyscale::scheduler
