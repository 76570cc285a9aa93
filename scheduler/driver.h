#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/backend.h"
#include "core/base/clock.h"
#include "scheduler/run_files.h"
#include "scheduler/run_state.h"
#include "storage/db/database.h"

namespace hyscale::scheduler {

/// What an attempt at a run starts with.
struct Attempt {
  const storage::RunRow& run;
  int number = 1;                           // counts from 1 over the run's life
  std::string from;                         // a branch: checkpoint of its trunk; "": from scratch or its own checkpoint
  std::string after = {};                   // a branch whose checkpoint is not there yet: its trunk's job directory
  bool resume = false;                      // a worker has begun it before
  std::vector<int64_t> checkpoint_at = {};  // a trunk: tokens where branches leave it
};
using MakeJob = std::function<cluster::Job(const Attempt&)>;

/// What a driver works with; all must outlive it.
struct DriverTools {
  storage::Database& database;
  cluster::Backend& backend;  // launches
  const RunFiles& files;
  MakeJob make_job;
  const Clock& clock = Clock::system();
  bool launches = true;               // false: only takes in what has become of jobs
  cluster::Backend* other = nullptr;  // looks after jobs that were launched elsewhere, before the study came here
};

inline constexpr double kLeaseSeconds = 30;  // without a heartbeat, after which a driver counts as dead

/// Carries one study to its end, round after round: what the back end and the run directories say goes into the
/// database, and what may start is launched. All memory is in the database; a driver that is killed at any moment is
/// replaced by the next one. Only the holder of the study's lease launches.
class Driver {
 public:
  Driver(DriverTools tools, std::string study, int slots);

  /// False: another living process drives the study.
  bool take_lease();
  /// One round. False: nothing is left to do, or the lease is lost; it is then given back.
  bool round();
  /// Until the next event, at the latest after `seconds`.
  void wait(double seconds);
  /// Gives the lease back before the study has ended: another driver may go on.
  void release();

 private:
  struct Wanted {  // by the study's cells
    std::string parent;
    int64_t branch_step = 0;
    std::vector<int64_t> checkpoint_at;
  };
  struct Start {  // what a run begins with
    std::string from, after;
  };
  struct Starting {
    storage::RunRow run;  // with the micro-batch that this attempt takes
    cluster::Job job;
  };
  void read_cells();
  const Wanted& wanted(const std::string& run_id);
  void take_in_all();
  void take_in(const storage::ActiveRow& run, cluster::Backend& backend);
  void take_in_end(const storage::RunRow& run, const cluster::JobStatus& status);
  bool can_still_start(const storage::RunRow& run);
  void finish(const storage::RunRow& run, const storage::RunResult& result, const cluster::JobStatus& job = {});
  /// Written together with others, at the latest when all has been taken in: what nothing else asks for until then.
  void later(std::function<void()> change);
  void write_changes();
  void start_what_may();
  /// The checkpoint a run starts from, if any; nullopt while it has to wait. May end the run, when its trunk has ended
  /// short of the branch point.
  std::optional<Start> starting_point(const storage::RunRow& run);
  /// nullopt: it has turned out to be done.
  std::optional<Starting> prepare(const storage::RunRow& run, const Start& start);
  void launch(std::vector<Starting> batch);
  /// Reserves and writes down; returns those that are still wanted.
  std::vector<cluster::Reservation> enter(const std::vector<Starting>& batch);
  void give_back(const std::vector<cluster::JobHandle>& jobs);
  cluster::Backend* backend_of(const storage::ActiveRow& run) const;
  /// Applies an event to the run as it now stands, unless it has gone on to another attempt.
  void apply(const storage::RunRow& run, const Event& event);
  bool heartbeat();
  int free_slots() const;

  DriverTools tools_;
  std::string study_;
  int slots_;
  std::optional<storage::Lease> lease_;
  double renewed_ = 0;
  std::map<std::string, Wanted> wanted_;  // by run id; empty until somebody asks
  std::vector<std::function<void()>> changes_;
  std::map<std::string, double> out_of_sight_;   // run id → since when
  bool branch_waits_ = false;                    // for its trunk, while a slot is free
  std::map<std::string, std::string> starting_;  // run id → job directory, of the batch to be launched
  std::set<std::string> asked_to_stop_;          // job ids
};

/// How an attempt ended: the job's exit and, where they are about this attempt, the worker's own words.
Event end_event(const storage::RunRow& run, const cluster::JobStatus& job,
                const std::optional<storage::RunStatus>& status);

std::string lease_name(const std::string& study);
cluster::JobHandle job_of(const storage::RunRow& run);
cluster::JobHandle job_of(const storage::ActiveRow& run);

}  // namespace hyscale::scheduler
