#include "cluster/slurm_reading.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "cluster/job_files.h"
#include "cluster/lock.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::cluster {

namespace fs = std::filesystem;

static bool is_name_of(const std::string& batch_directory, const std::string& name) {
  return batch_directory.size() > name.size() && batch_directory.ends_with(name) &&
         batch_directory[batch_directory.size() - name.size() - 1] == '/';
}

static bool has_last_word(const JobFiles& files) {
  const auto end = read_end(files);
  return end && is_last_word(*end, fs::exists(files.terminated()));
}

SlurmCluster find_cluster(const RunCommand& run) {
  const CommandOutput config = run({"scontrol", "show", "config"}, {});
  const bool installed = config.exit_code != kNoSuchProgram;
  if (!installed || config.err.find("configuration source") != std::string::npos)
    throw ConfigError(Problem{.what = installed ? "there is no Slurm here: it is installed, but knows no cluster"
                                                : "there is no Slurm here: scontrol is not on the PATH",
                              .remedy = "go to a login node of the cluster, or use --on local"});
  if (config.exit_code != 0)
    throw IoError({.what = "Slurm does not answer: " + config.err, .remedy = "try again when scontrol ping says UP"});
  return parse_config(config.out);
}

double controller_of(const SlurmCluster& cluster, double now) {
  constexpr double kResolution = 2;
  return now - cluster.started < kResolution ? 0 : cluster.started;
}

SlurmReading::SlurmReading(std::string directory, std::optional<SlurmCluster> cluster, RunCommand run,
                           const Clock& clock)
    : directory_(std::move(directory)), cluster_(std::move(cluster)), run_(std::move(run)), clock_(clock) {}

void SlurmReading::refresh(const std::vector<JobHandle>& jobs) {
  records_.clear(), job_by_name_.clear(), in_queue_.clear(), in_accounts_.clear(), stale_.clear(), begun_.clear();
  if (!cluster_) return;
  const auto expected = std::exchange(queue_, std::nullopt);
  const CommandOutput queue = expected ? *expected : run_(squeue_argv(), {});
  answered_ = queue.exit_code == 0;
  if (!answered_) return;
  records_ = parse_squeue(queue.out);
  for (const auto& [task, record] : records_)
    if (in_queue_.insert(record.name).second) job_by_name_[record.name] = task.job;
  look_at_arrays();
  if (cluster_->accounting) ask_sacct(jobs);
}

void SlurmReading::look_at_arrays() {
  for (const auto& [name, job] : job_by_name_) {
    const BatchFiles files{directory_ + "/" + name};
    if (!fs::exists(files.tasks())) continue;
    note_controller(files.directory);
    if (listed_.insert(name).second) read_places(files);
  }
}

/// A controller that has an array loses it no more: it has read it from its saved state, or has lived since.
void SlurmReading::note_controller(const std::string& directory) {
  auto& submitted = batch_of(directory).submitted;
  const double controller = controller_of(*cluster_, clock_.unix_seconds());
  if (!submitted || submitted->controller == controller) return;
  submitted->controller = controller;
  write_submitted({directory}, *submitted);
}

/// Places of all jobs of an array from its list of tasks: one file for a thousand jobs.
void SlurmReading::read_places(const BatchFiles& files) {
  for (const auto& [index, jobs] : read_tasks(files).jobs)
    for (const std::string& directory : jobs)
      places_[directory] = JobPlace{.batch = files.directory, .index = index, .cluster = cluster_->name};
}

/// About those that squeue has forgotten and whose end needs Slurm's word: a worker that left because it was told to
/// does not know whether by a person, by a more urgent job or at the time limit.
void SlurmReading::ask_sacct(const std::vector<JobHandle>& jobs) {
  std::set<int64_t> ids;
  std::set<std::string> names;  // of arrays whose id nobody knows
  double since = clock_.unix_seconds();
  for (const JobHandle& job : jobs) {
    const auto& place = place_of(job.id);
    if (!place || record_of(place) != nullptr || has_last_word({job.id})) continue;
    const Batch& batch = batch_of(place->batch);
    if (batch.job)
      ids.insert(*batch.job);
    else
      names.insert(BatchFiles{place->batch}.name());
    constexpr double kClocksDiffer = 3600, kOldest = 90 * 86400.0;
    since = std::min(since, batch.submitted ? batch.submitted->time - kClocksDiffer : since - kOldest);
  }
  if (!ids.empty()) take_in_accounts(run_(sacct_argv(std::vector<int64_t>(ids.begin(), ids.end()), since), {}));
  if (!names.empty())
    take_in_accounts(run_(sacct_argv(std::vector<std::string>(names.begin(), names.end()), since), {}));
}

void SlurmReading::take_in_accounts(const CommandOutput& accounts) {
  answered_ = answered_ && accounts.exit_code == 0;
  for (const auto& [task, record] : parse_sacct(accounts.out)) {
    job_by_name_.try_emplace(record.name, task.job);
    if (records_.contains(task)) continue;
    if (is_unfinished(record)) {
      stale_.insert(task);  // nobody told it what became of the task
    } else {
      in_accounts_.insert(record.name);
      records_.emplace(task, record);
    }
  }
}

const std::optional<JobPlace>& SlurmReading::place_of(const std::string& job_directory) {
  auto& place = places_[job_directory];
  if (!place) place = read_place(job_directory);
  return place;
}

SlurmReading::Batch& SlurmReading::batch_of(const std::string& directory) {
  Batch& batch = batches_[directory];
  if (!batch.submitted) batch.submitted = read_submitted({directory});
  if (batch.submitted && batch.submitted->job != 0) batch.job = batch.submitted->job;
  if (batch.job) return batch;
  if (const auto found = job_by_name_.find(BatchFiles{directory}.name()); found != job_by_name_.end()) {
    // Its submitter died before it could write this down, or Slurm's answer was lost.
    batch.job = found->second;
    batch.submitted = Submitted{.job = found->second, .time = clock_.unix_seconds()};
    write_submitted({directory}, *batch.submitted);
  }
  return batch;
}

std::optional<SlurmTask> SlurmReading::task_of(const JobPlace& place) {
  const Batch& batch = batch_of(place.batch);
  if (!batch.job) return std::nullopt;
  return SlurmTask{*batch.job, place.index};
}

const SlurmRecord* SlurmReading::record_of(const std::optional<JobPlace>& place) {
  const auto task = place ? task_of(*place) : std::nullopt;
  const auto found = task ? records_.find(*task) : records_.end();
  // A controller that forgets a job when it is killed may give its id to another one.
  if (found == records_.end() || !is_name_of(place->batch, found->second.name)) return nullptr;
  return &found->second;
}

SlurmFacts SlurmReading::said_of(const std::optional<JobPlace>& place) {
  SlurmFacts said{.answered = answered_};
  if (const SlurmRecord* record = record_of(place))
    said.record = *record;
  else if (const auto task = place ? task_of(*place) : std::nullopt)
    said.cannot_be_lost = cannot_be_lost(place->batch, *task);
  return said;
}

/// Whether its batch script ever ran: one look at the array's directory for all its tasks.
bool SlurmReading::has_begun(const JobPlace& place) {
  const auto [known, first] = begun_.try_emplace(place.batch);
  if (first) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(place.batch, ignored))
      known->second.insert(entry.path().filename());
  }
  return known->second.contains(fs::path(BatchFiles{place.batch}.output(place.index)).filename());
}

/// What a controller has not saved when it is killed is lost, always a whole array: its state names the tasks that are
/// left of each. So a task cannot be lost when the controller lives that was seen to have the array, when squeue shows
/// others of the array, or when sacct does and does not name this one among those that are left.
bool SlurmReading::cannot_be_lost(const std::string& batch_directory, const SlurmTask& task) {
  const auto& submitted = batch_of(batch_directory).submitted;
  if (!cluster_ || !submitted) return false;
  const bool lives = submitted->controller != 0 && submitted->controller == cluster_->started;
  const std::string name = BatchFiles{batch_directory}.name();
  return lives || in_queue_.contains(name) || (in_accounts_.contains(name) && !stale_.contains(task));
}

FileFacts SlurmReading::facts_of(const JobFiles& files, const std::optional<JobPlace>& place) {
  FileFacts facts{.end = read_end(files)};
  if (facts.end) facts.launches = facts.end->launch, facts.silent = facts.end->silent;
  const bool final = facts.end && !facts.end->requeued;
  facts.terminated = fs::exists(files.terminated());
  if (final && !facts.terminated) return facts;
  const Batch* batch = place ? &batch_of(place->batch) : nullptr;
  if (batch && batch->submitted) facts.submitted = batch->submitted->time;
  facts.unanswered = batch && batch->submitted && !batch->job;
  facts.script_ran = place && fs::exists(BatchFiles{place->batch}.output(place->index));
  facts.submitting = (!batch || !batch->submitted) && is_locked(submitting_lock(directory_));
  if (const auto processes = read_processes(files)) {
    facts.launches = std::max(facts.launches, processes->launch);
    facts.silent = std::max(facts.silent, processes->silent);
  }
  facts.locked = is_locked(files.lock());
  facts.revoked = fs::exists(files.revoked());
  return facts;
}

JobStatus SlurmReading::poll(const JobHandle& handle) {
  const JobFiles files{handle.id};
  const auto& place = place_of(handle.id);
  const bool here = cluster_ && handle.host == cluster_->name;
  // Of thousands that wait for their first start nothing else needs to be read.
  if (const SlurmRecord* record = here ? record_of(place) : nullptr;
      record != nullptr && is_waiting(*record) && !has_begun(*place))
    return {.state = JobState::queued, .message = record->reason};
  const SlurmFacts said = here ? said_of(place) : SlurmFacts{};
  JobStatus status = weigh(files, place, said);
  const bool never_begun = status.cause == EndCause::not_begun || status.cause == EndCause::vanished;
  if (status.state != JobState::ended || !never_begun || said.record || !place || fs::exists(files.revoked()))
    return status;
  // Should Slurm start it after all, the keeper reads this once it holds the lock; if it held the lock before, then it
  // shows now.
  replace_file(files.revoked(), "");
  return weigh(files, place, said);
}

JobStatus SlurmReading::weigh(const JobFiles& files, const std::optional<JobPlace>& place, const SlurmFacts& said) {
  const FileFacts facts = facts_of(files, place);
  JobStatus status = verdict(facts, said, clock_.unix_seconds());
  if (status.state != JobState::queued && status.state != JobState::running) return status;
  // The end may have been written between the two looks.
  if (!facts.end && read_end(files)) status = verdict(facts_of(files, place), said, clock_.unix_seconds());
  return status;
}

}  // namespace hyscale::cluster
