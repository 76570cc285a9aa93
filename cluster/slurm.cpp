#include "cluster/slurm.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <set>

#include "cluster/job_files.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::cluster {

namespace fs = std::filesystem;

constexpr int kNoSuchProgram = 127;

SlurmBackend::SlurmBackend(SlurmOptions options, RunCommand run, const Clock& clock)
    : options_(std::move(options)), run_(std::move(run)), clock_(clock) {
  const CommandOutput config = run_({"scontrol", "show", "config"}, {});
  const bool installed = config.exit_code != kNoSuchProgram;
  if (!installed || config.err.find("configuration source") != std::string::npos)
    throw ConfigError(Problem{.what = installed ? "there is no Slurm here: it is installed, but knows no cluster"
                                                : "there is no Slurm here: scontrol is not on the PATH",
                              .remedy = "go to a login node of the cluster, or use --on local"});
  if (config.exit_code != 0)
    throw IoError({.what = "Slurm does not answer: " + config.err, .remedy = "try again when scontrol ping says UP"});
  cluster_ = parse_config(config.out);
}

double SlurmBackend::lost_after() const { return std::numeric_limits<double>::infinity(); }

void SlurmBackend::refresh(const std::vector<JobHandle>& jobs) {
  records_.clear(), job_by_name_.clear();
  const CommandOutput queue = run_(squeue_argv(), {});
  answered_ = queue.exit_code == 0;
  if (!answered_) return;
  records_ = parse_squeue(queue.out);
  for (const auto& [task, record] : records_) job_by_name_[record.name] = task.job;
  if (cluster_.accounting) ask_sacct(jobs);
}

/// About those that squeue has forgotten and that have not said themselves how they ended.
void SlurmBackend::ask_sacct(const std::vector<JobHandle>& jobs) {
  std::set<std::string> names;
  double since = clock_.unix_seconds();
  for (const JobHandle& job : jobs) {
    const auto& place = place_of(job.id);
    if (!place || said_of(place).record || fs::exists(JobFiles{job.id}.ended())) continue;
    const Batch& batch = batch_of(place->batch);
    names.insert(BatchFiles{place->batch}.name());
    constexpr double kClocksDiffer = 3600, kOldest = 90 * 86400.0;
    since = std::min(since, batch.submitted ? batch.submitted->time - kClocksDiffer : since - kOldest);
  }
  if (names.empty()) return;
  const CommandOutput accounts = run_(sacct_argv({names.begin(), names.end()}, since), {});
  answered_ = accounts.exit_code == 0;
  for (const auto& [task, record] : parse_sacct(accounts.out)) {
    records_.try_emplace(task, record);
    job_by_name_.try_emplace(record.name, task.job);
  }
}

const std::optional<JobPlace>& SlurmBackend::place_of(const std::string& job_directory) {
  auto& place = places_[job_directory];
  if (!place) place = read_place(job_directory);
  return place;
}

SlurmBackend::Batch& SlurmBackend::batch_of(const std::string& directory) {
  Batch& batch = batches_[directory];
  if (!batch.submitted) batch.submitted = read_submitted({directory});
  if (batch.submitted) batch.job = batch.submitted->job;
  if (!batch.job)
    if (const auto found = job_by_name_.find(BatchFiles{directory}.name()); found != job_by_name_.end()) {
      // Its submitter died before it could write this down.
      batch.job = found->second;
      batch.submitted = Submitted{.job = found->second, .time = clock_.unix_seconds()};
      write_submitted({directory}, *batch.submitted);
    }
  return batch;
}

std::optional<SlurmTask> SlurmBackend::task_of(const JobPlace& place) {
  const Batch& batch = batch_of(place.batch);
  if (!batch.job) return std::nullopt;
  return SlurmTask{*batch.job, place.index};
}

SlurmFacts SlurmBackend::said_of(const std::optional<JobPlace>& place) {
  SlurmFacts said{.answered = answered_};
  if (!place) return said;
  const auto task = task_of(*place);
  if (!task) return said;
  if (const auto found = records_.find(*task); found != records_.end()) said.record = found->second;
  return said;
}

FileFacts SlurmBackend::facts_of(const JobFiles& files, const std::optional<JobPlace>& place) {
  FileFacts facts{.end = read_end(files)};
  if (facts.end) facts.launches = facts.end->launch;
  const bool final = facts.end && !facts.end->requeued;
  facts.terminated = fs::exists(files.terminated());
  if (final && !facts.terminated) return facts;
  const Batch* batch = place ? &batch_of(place->batch) : nullptr;
  if (batch && batch->submitted) facts.submitted = batch->submitted->time;
  facts.submitting = (!batch || !batch->submitted) && is_locked(submitting_lock());
  if (const auto processes = read_processes(files)) facts.launches = std::max(facts.launches, processes->launch);
  facts.locked = is_locked(files.lock());
  facts.revoked = fs::exists(files.revoked());
  return facts;
}

JobStatus SlurmBackend::poll(const JobHandle& handle) {
  const JobFiles files{handle.id};
  const auto& place = place_of(handle.id);
  const FileFacts facts = facts_of(files, place);
  SlurmFacts said = said_of(place);
  if (handle.host != cluster_.name) said = {};
  JobStatus status = verdict(facts, said, clock_.unix_seconds());
  if (status.state != JobState::queued && status.state != JobState::running) return status;
  if (const auto end = read_end(files); end && !facts.end)
    return verdict(facts_of(files, place), said, clock_.unix_seconds());
  return status;
}

std::string describe_pmi(const RunCommand& run) {
  const CommandOutput said = run({"srun", "--mpi=list"}, {});
  const auto kinds = parse_mpi_list(said.out + said.err);
  if (std::find(kinds.begin(), kinds.end(), "pmix") == kinds.end())
    throw ConfigError({.what = fmt::format("srun offers no PMIx here (srun --mpi=list: {})", fmt::join(kinds, ", ")),
                       .why = "Open MPI's ranks find each other through PMIx when srun starts them",
                       .remedy = "write slurm: {mpi: mpirun}"});
  return fmt::format("PMIx (srun --mpi=list: {})", fmt::join(kinds, ", "));
}

void SlurmBackend::wait(const std::vector<JobHandle>&, double seconds) { clock_.sleep(seconds); }

void SlurmBackend::cancel(const std::vector<JobHandle>& jobs, Cancel how) {
  for (const JobHandle& job : jobs)
    if (fs::exists(job.id)) replace_file(JobFiles{job.id}.revoked(), "");
  std::map<std::string, std::set<int64_t>> by_batch;
  for (const JobHandle& job : jobs)
    if (const auto& place = place_of(job.id)) by_batch[place->batch].insert(place->index);
  constexpr size_t kMost = 500;  // ids of one command
  std::vector<std::string> ids;
  const auto send = [&] {
    if (ids.empty()) return;
    const auto scancel = [&](std::vector<std::string> argv) {
      argv.insert(argv.end(), ids.begin(), ids.end());
      run_(argv, {});  // says of those that have ended that they have
    };
    if (how == Cancel::ask) {
      scancel({"scancel", "--quiet", "--state=PENDING"});
      scancel({"scancel", "--quiet", "--batch", "--signal=USR1"});
    } else {
      scancel({"scancel", "--quiet"});
    }
    ids.clear();
  };
  for (const auto& [directory, indices] : by_batch) {
    const TaskList tasks = read_tasks({directory});
    for (const int64_t index : indices) {
      const auto task = task_of({directory, index});
      // Other runs of the same task may be wanted: its keeper reads the revocation by itself.
      const auto& mates = tasks.jobs.at(index);
      const bool all = std::all_of(mates.begin(), mates.end(),
                                   [](const std::string& mate) { return fs::exists(JobFiles{mate}.revoked()); });
      if (task && all) ids.push_back(to_string(*task));
      if (ids.size() == kMost) send();
    }
  }
  send();
}

}  // namespace hyscale::cluster
