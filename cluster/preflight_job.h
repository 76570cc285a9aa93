#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cluster/backend.h"
#include "cluster/command.h"
#include "cluster/finding.h"
#include "cluster/slurm_options.h"
#include "core/base/clock.h"

namespace hyscale::cluster {

/// A small job of a run's shape that looks at the place from inside Slurm, with the runs' own options, modules and
/// prologue.
struct PreflightJob {
  SlurmOptions options = {};
  JobShape shape = {};
  std::vector<std::string> look = {};  // the program that looks; "--inside FILE --held LOCK" is appended: it leaves its
                                       // findings as JSON in FILE, and LOCK is locked from here meanwhile
  double patience = 600;               // seconds until it must have ended
  std::function<bool()> interrupted = [] { return false; };  // asked about once a second
};

/// Submits it, waits for it and gives what it found, or why nothing came of it. What it left is removed unless that is
/// needed to see what went wrong. A job that has not ended in time, or
/// is not wanted any more, is cancelled. `show` is told what is waited for.
std::vector<Finding> preflight_in_job(const RunCommand& run, const PreflightJob& job,
                                      const std::function<void(const std::string& text)>& show = {},
                                      const Clock& clock = Clock::system());

/// What Slurm says to such a job without taking it (sbatch --test-only).
Finding check_submission(const RunCommand& run, const PreflightJob& job);

}  // namespace hyscale::cluster
