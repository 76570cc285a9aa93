#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "cluster/backend.h"
#include "cluster/command.h"
#include "cluster/slurm_files.h"
#include "cluster/slurm_text.h"
#include "cluster/slurm_verdict.h"
#include "core/base/clock.h"

namespace hyscale::cluster {

/// The Slurm of this machine. Throws ConfigError when there is none here, IoError when it does not answer.
SlurmCluster find_cluster(const RunCommand& run);

/// Names the controller that lives now, by its start. 0 while it is so young that it may have been killed and started
/// since in the same second.
double controller_of(const SlurmCluster& cluster, double now);

/// What has become of jobs in arrays: read from their directories and from one reading of squeue, and sacct for what
/// squeue shows no more, for all jobs together. Writes but three things: the id of an array whose submitter died before
/// it could, under which controller an array was last seen, and that a job which counts as never begun must not begin
/// any more.
class SlurmReading {
 public:
  /// `directory` is that of the arrays (STORE/jobs/slurm). Without a cluster nothing but a job's own last word is
  /// known.
  SlurmReading(std::string directory, std::optional<SlurmCluster> cluster, RunCommand run, const Clock& clock);

  /// What squeue has said to squeue_argv() just now; the next `refresh` takes it in instead of asking.
  void expect(CommandOutput queue) { queue_ = std::move(queue); }
  void refresh(const std::vector<JobHandle>& jobs);
  JobStatus poll(const JobHandle& handle);

  const SlurmRecords& records() const { return records_; }  // of the last refresh
  const std::optional<JobPlace>& place_of(const std::string& job_directory);
  /// nullopt while nobody knows under which id its array is with Slurm.
  std::optional<SlurmTask> task_of(const JobPlace& place);

 private:
  struct Batch {  // an array as far as its directory tells
    std::optional<Submitted> submitted = {};
    std::optional<int64_t> job = {};  // its id, from there or found by its name
  };
  Batch& batch_of(const std::string& directory);
  FileFacts facts_of(const JobFiles& files, const std::optional<JobPlace>& place);
  JobStatus weigh(const JobFiles& files, const std::optional<JobPlace>& place, const SlurmFacts& said);
  const SlurmRecord* record_of(const std::optional<JobPlace>& place);
  SlurmFacts said_of(const std::optional<JobPlace>& place);
  bool has_begun(const JobPlace& place);
  bool cannot_be_lost(const std::string& batch_directory, const SlurmTask& task);
  void look_at_arrays();
  void note_controller(const std::string& directory);
  void read_places(const BatchFiles& files);
  void ask_sacct(const std::vector<JobHandle>& jobs);
  void take_in_accounts(const CommandOutput& accounts);

  std::string directory_;
  std::optional<SlurmCluster> cluster_;
  RunCommand run_;
  const Clock& clock_;

  std::optional<CommandOutput> queue_;  // asked before its refresh
  SlurmRecords records_;                // of the last refresh
  std::map<std::string, int64_t> job_by_name_;
  std::set<std::string> in_queue_;     // names of arrays that squeue shows
  std::set<std::string> in_accounts_;  // and of those of which sacct shows tasks that have ended
  std::set<SlurmTask> stale_;          // tasks that sacct takes for unfinished and squeue does not show
  bool answered_ = false;
  std::unordered_map<std::string, std::optional<JobPlace>> places_;
  std::set<std::string> listed_;  // arrays whose jobs are all in places_
  std::unordered_map<std::string, Batch> batches_;
  std::unordered_map<std::string, std::set<std::string>> begun_;  // by array: files that its tasks' scripts have opened
};

}  // namespace hyscale::cluster
