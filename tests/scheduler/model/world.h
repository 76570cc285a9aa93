#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/command.h"
#include "cluster/job_files.h"
#include "cluster/lock.h"
#include "core/base/clock.h"
#include "scheduler/run_files.h"

namespace hyscale::scheduler::model {

inline constexpr int64_t kBranchStep = 50, kSteps = 100;

class VirtualClock : public Clock {
 public:
  double unix_seconds() const override { return now; }
  double steady_seconds() const override { return now; }
  void sleep(double seconds) const override { now += seconds; }
  mutable double now = 2e9;
};

/// What has really become of a job.
struct Truth {
  enum class Is { never_queued, forgotten, waiting, running, ended } is = Is::never_queued;
  cluster::EndCause cause = cluster::EndCause::own_exit;  // ended
  int exit_code = 0, signal = 0;                          // ended by itself
  bool silent = false;                                    // ended without a word of its keeper
  bool said_itself = false;                               // ended, and needs nobody else's word
  int launches = 0, node_failures = 0;
};

/// A Slurm whose tasks do what the test says, with the keepers that they run and the workers that those start. Keepers
/// leave in the jobs' directories what real ones leave there (cluster/slurm_task.cpp). `violation` says what must never
/// happen and has.
class World : public RunFiles {
 public:
  World(std::string store, bool accounting) : store_(std::move(store)), accounting_(accounting) {}

  // --- what the scheduler sees
  cluster::CommandOutput answer(const std::vector<std::string>& argv);
  std::optional<storage::RunResult> result(const std::string& id, std::string& problem) const override;
  std::optional<storage::RunStatus> status(const std::string& id) const override;
  std::optional<std::string> checkpoint(const std::string& id, int64_t step) const override;
  std::string checkpoint_path(const std::string& id, int64_t step) const override;
  bool has_begun(const std::string& id) const override { return runs.contains(id); }
  bool has_any_checkpoint(const std::string& id) const override { return step_of(id) > 0; }
  int64_t micro_batch(const std::string&) const override { return 4; }
  void ask_to_stop(const std::string&, int) const override {}
  void clear_stop(const std::string&) const override {}

  // --- what happens; `which` chooses among those to which it can happen, and nothing does when there is none
  enum class Reach { start, run };
  struct TaskId {
    int64_t array, index;
  };
  std::optional<TaskId> choose(Reach reach, unsigned which);
  void start(TaskId task);
  void advance(TaskId task, int64_t steps);
  void finish(TaskId task);
  void worker_ends(TaskId task, int exit_code, int signal = 0);
  void stopped_by_slurm(TaskId task, const std::string& state);  // SIGTERM, a checkpoint, then this state
  void node_dies(TaskId task, bool requeued, bool had_finished);
  void keeper_dies(TaskId task);
  void cancelled_by_hand(unsigned which);
  void controller_restarts(bool loses);
  void deliver_signals();  // of `study cancel`, to workers

  // --- what is to go wrong at the next submission, and while it is set
  struct Killed {};
  enum class Mishap { none, killed_before, killed_after, not_taken, taken, taken_late } mishap = Mishap::none;
  bool deaf = false;

  Truth truth(const std::string& job) const;
  std::string run_of(const std::string& job) const;
  int64_t step_of(const std::string& id) const;
  bool idle() const;
  void settle();  // after the scheduler has looked: arrays are saved, late ones appear

  struct Run {
    int64_t step = 0;
    bool finished = false, diverged = false;
    int workers = 0;
  };
  std::map<std::string, Run> runs;
  std::set<std::string> asked;  // jobs that sbatch was asked to take
  std::set<std::string> over;   // runs that must train no more, as the reference has it
  std::optional<std::string> violation;
  VirtualClock clock;

 private:
  struct Task {
    std::string job, state = "PENDING", reason = "None";
    double ended = 0;
    Truth truth{.is = Truth::Is::waiting};
    int64_t step_at_start = 0;
    bool to_stop = false;
    std::optional<cluster::Descriptor> lock;
  };
  struct Array {
    std::string name;
    int64_t after = 0;                // aftercorr
    bool fresh = true, lost = false;  // not yet saved; lost with a controller
    int late = 0;                     // looks of the scheduler until it arrives
    std::map<int64_t, Task> tasks;
  };
  cluster::CommandOutput sbatch(const std::vector<std::string>& argv);
  cluster::CommandOutput queue() const;
  cluster::CommandOutput accounts(const std::string& which) const;
  void scancel(const std::vector<std::string>& argv);
  bool may_start(const Array& array, int64_t index) const;
  void remove_orphans();  // tasks whose trunk did not succeed
  void end_task(Task& task, const std::string& state, const std::string& reason = "None");
  void leave(Task& task);  // the worker and its keeper are gone
  void terminate(Task& task);
  Task& at(TaskId id) { return arrays_.at(id.array).tasks.at(id.index); }
  cluster::JobEnd end_of(const Task& task, int exit_code, int signal) const;

  std::string store_;
  bool accounting_;
  double booted_ = 2e9 - 1000;
  int64_t next_ = 1;
  std::map<int64_t, Array> arrays_;
};

}  // namespace hyscale::scheduler::model
