#pragma once

#include <optional>

#include "cluster/backend.h"
#include "cluster/job_files.h"
#include "cluster/slurm_text.h"

namespace hyscale::cluster {

/// What a job's own files say.
struct FileFacts {
  bool submitting = false;  // a submitter or its sbatch lives that may still put it to Slurm
  double submitted = 0;     // unix seconds at which Slurm took it; 0: nobody has written down that it did
  bool unanswered = false;  // Slurm was asked to take it then, and has not said that it did
  std::optional<JobEnd> end = {};
  bool locked = false;      // a process of it lives
  int launches = 0;         // times it was started
  int silent = 0;           // those of them, but for the last, that ended without a word
  bool revoked = false;     // it is not to be started (again)
  bool terminated = false;  // Slurm asked it to end
  bool script_ran = false;  // the batch script began
};
/// What Slurm says.
struct SlurmFacts {
  bool answered = false;        // everything that could be asked has answered
  bool cannot_be_lost = false;  // a job of which it knows nothing is not one that it has forgotten by dying
  std::optional<SlurmRecord> record = {};
};

/// Both together. A job of which Slurm knows nothing is running while its lock is held, and is given a minute after its
/// submission; while Slurm does not answer, only a job's own last word counts.
JobStatus verdict(const FileFacts& files, const SlurmFacts& slurm, double now);

/// Whether a worker's end is its own doing, which needs nobody else's word: nothing outside made it end, and the keeper
/// has not asked for another start.
bool is_last_word(const JobEnd& end, bool terminated);

/// PENDING, RUNNING and the like: Slurm will do more with it.
bool is_unfinished(const SlurmRecord& record);
bool is_waiting(const SlurmRecord& record);

}  // namespace hyscale::cluster
