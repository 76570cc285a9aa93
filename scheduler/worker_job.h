#pragma once

#include <string>
#include <vector>

#include "cluster/backend.h"
#include "cluster/slurm_options.h"
#include "scheduler/driver.h"
#include "scheduler/settings.h"

namespace hyscale::scheduler {

/// HYSCALE_WORKER, else `hybrid-worker` beside this program, whether it is there or not.
std::string worker_path();
/// The same. Throws ConfigError when it cannot be executed.
std::string find_worker();

/// STORE/jobs/RUN/K: the files of attempt K.
std::string job_directory(const std::string& store, const std::string& run_id, int attempt);
/// The file in it that says that a person cancelled the attempt.
std::string cancel_mark(const std::string& store, const std::string& run_id, int attempt);

/// STORE/jobs/slurm: a directory for each job array.
std::string slurm_directory(const std::string& store);

/// The program that starts a run's ranks, with its options; "-n RANKS" follows.
std::vector<std::string> rank_launcher(const Settings& settings);

/// What each run of the study asks of a machine.
cluster::JobShape shape_of(const Settings& settings);

/// How the study's jobs are put to Slurm.
cluster::SlurmOptions slurm_options(const std::string& store, const std::string& study, const Settings& settings);

/// Puts the attempt's run.yaml below STORE/jobs and gives the worker's command line.
cluster::Job worker_job(const std::string& store, const std::string& worker, const Settings& settings,
                        const Attempt& attempt);

}  // namespace hyscale::scheduler
