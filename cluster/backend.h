#pragma once

#include <csignal>
#include <string>
#include <vector>

namespace hyscale::cluster {

/// One attempt at one run.
struct Job {
  std::string directory = {};          // absolute; the job's own files (job_files.h); one directory for each attempt
  std::vector<std::string> argv = {};  // program and its arguments, handed on as they are: no shell reads them
  std::string working_directory = {};  // "": that of the caller
  int stop_signal = SIGTERM;           // what asks it to end; mpirun hands SIGUSR1 on to its ranks and waits for them
};

/// Names a job for ever: written to the database before the job is launched, so that whoever comes after a crash can
/// ask what became of it.
struct JobHandle {
  std::string backend = {};  // "local"
  std::string host = {};
  std::string id = {};  // local: the job's directory
};

enum class JobState {
  running,
  ended,    // exit_code or signal says how
  gone,     // certainly not running, and nobody knows how it ended: never launched, or killed with its keeper
  unknown,  // cannot be told from here; is not a failure
};
struct JobStatus {
  JobState state = JobState::unknown;
  int exit_code = 0;  // of an ended job
  int signal = 0;     // that killed it; 0: it exited by itself
};

/// Where jobs run.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;

  /// The handle that `launch` will use. Starts nothing, but from here on nobody is told that the job is gone while this
  /// process lives, so that the handle can be written down before the launch. At most one reservation is open; another
  /// one gives it up.
  virtual JobHandle reserve(const Job& job) = 0;
  /// Starts the job that was reserved last; it outlives this process.
  /// Throws IoError when the system refuses; nothing runs then.
  virtual void launch(const Job& job, const JobHandle& handle) = 0;
  virtual JobStatus poll(const JobHandle& handle) = 0;
  enum class Cancel { ask, kill };
  /// `ask`: the job's stop signal to it and all its children; `kill`: SIGKILL. Does nothing to a job that has ended.
  virtual void cancel(const JobHandle& handle, Cancel how) = 0;
  /// Returns as soon as one of the jobs may have ended, at the latest after `seconds`.
  virtual void wait(const std::vector<JobHandle>& jobs, double seconds) = 0;
};

}  // namespace hyscale::cluster
