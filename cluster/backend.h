#pragma once

#include <csignal>
#include <string>
#include <vector>

namespace hyscale::cluster {

/// What one job asks of the machine that runs it. Jobs of one shape may share an array of a batch system.
struct JobShape {
  int nodes = 1;
  int tasks = 1;          // processes
  int cpus_per_task = 1;  // threads of each
  int gpus = 0;           // of all nodes together
  friend auto operator<=>(const JobShape&, const JobShape&) = default;
};

/// One attempt at one run.
struct Job {
  std::string directory = {};          // absolute; the job's own files (job_files.h); one directory for each attempt
  std::vector<std::string> argv = {};  // program and its arguments, handed on as they are: no shell reads them
  std::string working_directory = {};  // "": that of the caller
  int stop_signal = SIGTERM;           // what asks it to end; mpirun hands SIGUSR1 on to its ranks and waits for them

  // For back ends with a queue, where hours may pass before the job starts, and where it may be started again.
  JobShape shape = {};
  std::string after = {};     // directory of the job that must have ended well before this one starts; "": none
  std::string needs = {};     // a file without which it must not start; "": none
  std::string begun = {};     // a file that tells that it has begun before: then `resume` is added to argv
  std::string resume = {};    // "--resume"
  std::string progress = {};  // a JSON file whose `step` tells how far it has come
};

/// Names a job for ever: written to the database before the job is launched, so that whoever comes after a crash can
/// ask what became of it.
struct JobHandle {
  std::string backend = {};  // "local", "slurm"
  std::string host = {};     // local: host name; slurm: the cluster's name
  std::string id = {};       // the job's directory
};

enum class JobState {
  queued,   // waits for its turn
  running,  // a process of it lives, or may start at any moment
  ended,    // exit_code, signal and cause say how
  gone,     // certainly not running, and nobody knows how it ended: never launched, or killed with its keeper
  unknown,  // cannot be told from here; is not a failure
};
/// Why a job has ended, as far as the place where it ran can tell.
enum class EndCause {
  own_exit,           // exit_code and signal are the worker's
  node_failure,       // of the machine below it
  preempted,          // by a more urgent job
  time_limit,         // of the batch system
  out_of_memory,      // killed by the system
  cancelled_outside,  // by a person, not through `study`
  not_begun,          // it never started; another attempt costs nothing
  vanished,           // it never started, and the batch system does not know it any more
};
struct JobStatus {
  JobState state = JobState::unknown;
  int exit_code = 0;  // of an ended job
  int signal = 0;     // that killed it; 0: it exited by itself
  EndCause cause = EndCause::own_exit;
  int restarts = 0;          // times that the batch system has started it again
  int node_failures = 0;     // those of them before which its node had gone down
  std::string message = {};  // for people: why it waits, or what the batch system says of its end
};

struct Reservation {
  Job job;
  JobHandle handle;
};

/// Where jobs run.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;
  /// Takes jobs that have to wait: for their turn, and for the job named in `after`. Without a queue the caller counts
  /// slots and launches only what may start now.
  virtual bool has_queue() const { return false; }
  /// Seconds of `unknown` after which a job counts as lost.
  virtual double lost_after() const { return 900; }

  /// The handle that `launch` will use. Starts nothing, but from here on nobody is told that the job is gone while this
  /// process lives, so that the handle can be written down before the launch. Without a queue at most one reservation
  /// is open; another one gives it up.
  virtual JobHandle reserve(const Job& job) = 0;
  /// Starts the jobs that were reserved last; they outlive this process. Returns what could not be started, when that
  /// is not all.
  /// Throws IoError when the system refuses; nothing runs then.
  virtual std::vector<JobHandle> launch(const std::vector<Reservation>& jobs) = 0;
  /// Asks the batch system once for all `jobs`; `poll` then answers from that reading.
  virtual void refresh(const std::vector<JobHandle>& jobs) { static_cast<void>(jobs); }
  virtual JobStatus poll(const JobHandle& handle) = 0;
  enum class Cancel { ask, kill };
  /// `ask`: the stop signal to each job and all its children; `kill`: SIGKILL. Does nothing to a job that has ended.
  virtual void cancel(const std::vector<JobHandle>& jobs, Cancel how) = 0;
  /// Returns as soon as one of the jobs may have ended, at the latest after `seconds`.
  virtual void wait(const std::vector<JobHandle>& jobs, double seconds) = 0;
};

}  // namespace hyscale::cluster
