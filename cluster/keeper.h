#pragma once

#include <string>

namespace hyscale::cluster {

/// The life of a job's keeper, a process of its own that outlives `study`: starts the worker that job.json names,
/// waits for it and writes exit.json, so that the exit code is on disk whoever else has died. Ignores the signals
/// that are meant for the worker. Returns the keeper's own exit status.
int keep_job(const std::string& directory);

}  // namespace hyscale::cluster
