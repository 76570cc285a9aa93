#include "cluster/slurm.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <future>
#include <limits>
#include <set>

#include "cluster/job_files.h"
#include "cluster/lock.h"
#include "cluster/slurm_verdict.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::cluster {

namespace fs = std::filesystem;

SlurmBackend::SlurmBackend(SlurmOptions options, RunCommand run, const Clock& clock)
    : options_(std::move(options)),
      run_(std::move(run)),
      clock_(clock),
      cluster_(find_cluster(run_)),
      reading_(options_.directory, cluster_, run_, clock) {}

std::unique_ptr<SlurmBackend> SlurmBackend::asked(SlurmOptions options) {
  auto queue = std::async(std::launch::async, [] { return run_command(squeue_argv(), {}); });
  auto slurm = std::make_unique<SlurmBackend>(std::move(options));
  slurm->reading_.expect(queue.get());
  return slurm;
}

double SlurmBackend::lost_after() const { return std::numeric_limits<double>::infinity(); }

void SlurmBackend::refresh(const std::vector<JobHandle>& jobs) {
  reading_.refresh(jobs);
  free_held_tasks();
}

/// Tasks of this study in the queue, and what is left of their jobs.
std::vector<SlurmBackend::Leftover> SlurmBackend::waiting_tasks(bool held_only) const {
  std::vector<Leftover> waiting;
  std::map<std::string, TaskList> lists;
  for (const auto& [task, record] : reading_.records()) {
    const bool held = record.reason == "launch failed requeued held";
    if (!is_waiting(record) || (held_only && !held) || !is_array_of(options_.label, record.name)) continue;
    const BatchFiles files{options_.directory + "/" + record.name};
    if (!lists.contains(record.name) && !fs::exists(files.tasks())) continue;  // of another store
    if (!lists.contains(record.name)) lists[record.name] = read_tasks(files);
    const auto members = lists[record.name].jobs.find(task.index);
    if (members == lists[record.name].jobs.end()) continue;
    const auto over = [](const std::string& job) {
      const JobFiles its{job};
      const auto end = read_end(its);
      return (end && is_last_word(*end, fs::exists(its.terminated()))) || fs::exists(its.revoked());
    };
    const auto lives = [](const std::string& job) { return is_locked(JobFiles{job}.lock()); };
    const auto& jobs = members->second;
    waiting.push_back({.task = to_string(task),
                       .lives = std::any_of(jobs.begin(), jobs.end(), lives),
                       .over = std::all_of(jobs.begin(), jobs.end(), over)});
  }
  return waiting;
}

/// A controller that was killed starts running tasks once more, is refused by their nodes, and holds them for a person
/// to look at. Once the copy that ran has ended its work, the task has none; should it have died, the task has to
/// start.
void SlurmBackend::free_held_tasks() {
  std::vector<std::string> idle{"scancel", "--quiet"}, needed{"scontrol", "release"};
  const size_t none = idle.size();
  for (const Leftover& held : waiting_tasks(true))
    if (!held.lives) (held.over ? idle : needed).push_back(held.task);
  if (idle.size() > none) run_(idle, {});
  if (needed.size() > none) run_(needed, {});
}

void SlurmBackend::clear_queue() {
  std::vector<std::string> idle{"scancel", "--quiet"};
  const size_t none = idle.size();
  for (const Leftover& waiting : waiting_tasks(false))
    if (!waiting.lives && waiting.over) idle.push_back(waiting.task);
  if (idle.size() > none) run_(idle, {});
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
    if (const auto& place = reading_.place_of(job.id)) by_batch[place->batch].insert(place->index);
  constexpr size_t kMost = 500;  // ids of one command
  std::vector<std::string> ids;
  const auto send = [&](const std::string& directory) {
    if (ids.empty()) return;
    // A controller that forgets a job when it is killed may give its id to another one.
    ids.insert(ids.begin(), "--name=" + BatchFiles{directory}.name());
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
      const auto task = reading_.task_of({directory, index});
      // Other runs of the same task may be wanted: its keeper reads the revocation by itself.
      const auto& mates = tasks.jobs.at(index);
      const bool all = std::all_of(mates.begin(), mates.end(),
                                   [](const std::string& mate) { return fs::exists(JobFiles{mate}.revoked()); });
      if (task && all) ids.push_back(to_string(*task));
      if (ids.size() == kMost) send(directory);
    }
    send(directory);
  }
}

}  // namespace hyscale::cluster
