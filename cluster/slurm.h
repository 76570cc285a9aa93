#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/backend.h"
#include "cluster/command.h"
#include "cluster/lock.h"
#include "cluster/slurm_arrays.h"
#include "cluster/slurm_files.h"
#include "cluster/slurm_options.h"
#include "cluster/slurm_reading.h"
#include "core/base/clock.h"

namespace hyscale::cluster {

/// Jobs as tasks of Slurm job arrays. A task's batch script ends in a keeper (slurm_task.h), which leaves in the job's
/// directory what a local keeper leaves there; what became of a job is read from there and from one reading of squeue,
/// and sacct for what squeue shows no more, for all jobs together.
class SlurmBackend : public Backend {
 public:
  /// Throws ConfigError when there is no Slurm here, IoError when it does not answer.
  explicit SlurmBackend(SlurmOptions options, RunCommand run = run_command, const Clock& clock = Clock::system());

  /// One that has asked squeue already, at the same time as all else that it has to ask; its first `refresh` takes the
  /// answer in.
  static std::unique_ptr<SlurmBackend> asked(SlurmOptions options);

  std::string name() const override { return "slurm"; }
  bool has_queue() const override { return true; }
  double lost_after() const override;  // never: a Slurm that does not answer today may do so tomorrow
  JobHandle reserve(const Job& job) override;
  /// Returns the jobs whose trunk Slurm does not know. When an array is refused, those before it go on, and those of it
  /// and after it are returned; throws ConfigError with Slurm's words when it is the first. An array of which Slurm has
  /// not said whether it took it counts as launched: `poll` tells later, and it is never submitted twice.
  std::vector<JobHandle> launch(const std::vector<Reservation>& jobs) override;
  void refresh(const std::vector<JobHandle>& jobs) override;
  JobStatus poll(const JobHandle& handle) override { return reading_.poll(handle); }
  void cancel(const std::vector<JobHandle>& jobs, Cancel how) override;
  void wait(const std::vector<JobHandle>& jobs, double seconds) override;

  /// For the end of the study: takes tasks out of the queue, as it was at the last refresh, that would find all their
  /// jobs ended. A controller that was killed while they ran may count them as waiting and nobody would ask again.
  void clear_queue();
  /// Puts a job in the queue that starts when all jobs of this label that Slurm knows have ended, however they ended.
  /// An earlier one that has not begun gives way to it. Throws ConfigError with Slurm's words when it is refused.
  void follow_up(const FollowUp& job);
  /// Whether arrays were submitted since the last one, by this process or by one that has died.
  bool is_follow_up_due() const;
  /// Takes it out of the queue again, if it is still there; none is due then.
  void withdraw_follow_up();

  /// What Slurm itself says to a script like those of `jobs` (sbatch --test-only), one line for each shape.
  std::vector<std::string> test_only(const std::vector<Job>& jobs);
  const SlurmCluster& cluster() const { return cluster_; }

 private:
  struct Array {
    BatchFiles files;
    std::vector<size_t> jobs;
  };
  Array prepare(const ArrayPlan& plan, const std::vector<Reservation>& jobs);
  std::optional<int64_t> submit(const ArrayPlan& plan, const Array& array, int64_t after,
                                const std::vector<int64_t>& behind, int lock);
  std::optional<int64_t> find_by_name(const std::string& name) const;
  /// Written before an array is put to Slurm; gone once a job is behind it, or will never be.
  std::string follow_up_due() const { return follow_up_files().directory + "/due"; }
  BatchFiles follow_up_files() const { return {options_.directory + "/hyscale-" + options_.label + "-report"}; }
  void take_out_follow_up();
  struct Unfinished {  // arrays of this study that Slurm has not done with
    std::vector<int64_t> jobs = {};
    int64_t at_once = 0;  // tasks that they may still run at the same time
  };
  Unfinished unfinished_arrays() const;  // throws IoError when Slurm does not answer
  struct Leftover {
    std::string task = {};
    bool lives = false;  // a process of one of its jobs does
    bool over = false;   // all its jobs have ended
  };
  std::vector<Leftover> waiting_tasks(bool held_only) const;  // as of the last refresh
  void free_held_tasks();
  int64_t ceiling(const std::vector<Reservation>& jobs) const;
  std::map<std::string, SlurmTask> known_trunks(const std::vector<Reservation>& jobs);

  SlurmOptions options_;
  RunCommand run_;
  const Clock& clock_;
  SlurmCluster cluster_;
  SlurmReading reading_;
  std::unique_ptr<Descriptor> submitting_;  // from the first reservation to the end of the launch
};

/// What srun can offer MPI programs here: "PMIx (of pmix, pmi2)". Throws ConfigError when Open MPI could not start.
std::string describe_pmi(const RunCommand& run);

}  // namespace hyscale::cluster
