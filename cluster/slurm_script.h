#pragma once

#include <string>
#include <vector>

#include "cluster/slurm_arrays.h"
#include "cluster/slurm_files.h"
#include "cluster/slurm_options.h"

namespace hyscale::cluster {

/// The batch script of an array: #SBATCH lines, the user's prologue, then the keeper in the shell's place. It holds no
/// other value of a spec: what a task runs is in the array's task list. Throws ConfigError when a value or path cannot
/// stand in such a line.
std::string slurm_script(const SlurmOptions& options, const BatchFiles& files, const ArrayPlan& array);

/// That of a job that runs one program after the others, on one core.
std::string follow_up_script(const SlurmOptions& options, const BatchFiles& files, const FollowUp& job);

/// That of one job of a run's shape, a few minutes at most, that runs `argv` on its first node. Slurm does not start it
/// a second time.
std::string one_job_script(const SlurmOptions& options, const BatchFiles& files, const JobShape& shape,
                           const std::vector<std::string>& argv);

/// For --dependency: "aftercorr:12,afterany:13:14"; "" when there is none.
std::string dependency(int64_t after, const std::vector<int64_t>& behind);

/// "02:00:00"
std::string slurm_time(int64_t seconds);

}  // namespace hyscale::cluster
