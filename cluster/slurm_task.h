#pragma once

#include <string>

namespace hyscale::cluster {

/// The life of one task of a job array (`study keep-task`), in the place of its batch shell: runs the jobs that the
/// array's task list names for $SLURM_ARRAY_TASK_ID, so many side by side, the others one after another, and leaves in
/// each job's directory what a local keeper leaves there.
///
/// SIGUSR1, which Slurm sends before the time limit, is handed on to the workers as their stop signal; SIGTERM is
/// noted: Slurm then ends everything by itself. When a worker has checkpointed and advanced, or jobs are left over,
/// Slurm is asked to start the task again under the same id. Started again, for whatever reason, it carries on: what
/// has ended is left alone, what has begun resumes, and what another copy of this task still runs is waited for.
///
/// Returns the exit status: 0 when every job has ended so, else the first other one.
int keep_task(const std::string& batch_directory);

}  // namespace hyscale::cluster
