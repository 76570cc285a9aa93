// How the Slurm back end launches: each array's directory is complete, and each job knows its place, before sbatch.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <random>
#include <stdexcept>

#include "cluster/job_files.h"
#include "cluster/slurm.h"
#include "cluster/slurm_arrays.h"
#include "cluster/slurm_script.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"

namespace hyscale::cluster {

namespace fs = std::filesystem;

namespace {

std::string unique_suffix() {
  std::random_device random;
  return fmt::format("{:08x}", static_cast<uint32_t>(random()));
}

ConfigError refusal(const BatchFiles& files, const CommandOutput& said) {
  std::string words = said.err;
  while (!words.empty() && words.back() == '\n') words.pop_back();
  return ConfigError({.what = "Slurm refuses the jobs: " + words,
                      .remedy = "mend the spec's slurm: section; the script is " + files.script()});
}

/// Whether the array is certainly not with Slurm. Otherwise its answer was lost on the way.
bool is_refusal(const CommandOutput& said) {
  constexpr int kKilled = 124;  // and beyond, by a signal
  if (said.exit_code == 0 || said.exit_code == kKilled || said.exit_code > kNoSuchProgram) return false;
  for (const char* lost : {"timed out", "Zero Bytes", "onnection reset", "ransport endpoint", "nexpected message"})
    if (said.err.find(lost) != std::string::npos) return false;
  return true;
}

}  // namespace

JobHandle SlurmBackend::reserve(const Job& job) {
  if (!submitting_) {
    make_writable_directory(options_.directory);
    submitting_ = std::make_unique<Descriptor>(take_lock(submitting_lock(options_.directory)));
  }
  make_writable_directory(job.directory);
  return {.backend = name(), .host = cluster_.name, .id = job.directory};
}

int64_t SlurmBackend::ceiling(const std::vector<Reservation>& jobs) const {
  int64_t most = options_.most_runs > 0 ? std::max<int64_t>(options_.most_runs / options_.side_by_side, 1) : 0;
  int gpus = 0;
  for (const Reservation& r : jobs) gpus = std::max(gpus, r.job.shape.gpus);
  if (options_.most_gpus > 0 && gpus > 0) {
    const int64_t by_gpus = std::max<int64_t>(options_.most_gpus / gpus, 1);
    most = most > 0 ? std::min(most, by_gpus) : by_gpus;
  }
  return most;
}

std::map<std::string, SlurmTask> SlurmBackend::known_trunks(const std::vector<Reservation>& jobs) {
  std::map<std::string, SlurmTask> known;
  for (const auto& [job, handle] : jobs) {
    if (job.after.empty() || known.contains(job.after)) continue;
    const auto& place = reading_.place_of(job.after);
    if (!place) continue;
    if (const auto task = reading_.task_of(*place)) known.emplace(job.after, *task);
  }
  return known;
}

SlurmBackend::Array SlurmBackend::prepare(const ArrayPlan& plan, const std::vector<Reservation>& jobs) {
  const BatchFiles files{fmt::format("{}/hyscale-{}-{}", options_.directory, options_.label, unique_suffix())};
  Array array{.files = files, .jobs = {}};
  make_writable_directory(files.directory);
  TaskList tasks{.side_by_side = options_.side_by_side};
  for (const auto& [index, members] : plan.tasks)
    for (const size_t j : members) {
      const Job& job = jobs[j].job;
      write_command({job.directory}, job);
      write_place(job.directory, {.batch = files.directory, .index = index, .cluster = cluster_.name});
      tasks.jobs[index].push_back(job.directory);
      array.jobs.push_back(j);
    }
  write_tasks(files, tasks);
  write_file_atomically(files.script(), slurm_script(options_, files, plan));
  return array;
}

std::optional<int64_t> SlurmBackend::find_by_name(const std::string& name) const {
  const CommandOutput queue = run_(squeue_argv(), {});
  for (const auto& [task, record] : parse_squeue(queue.out))
    if (record.name == name) return task.job;
  return std::nullopt;
}

/// nullopt: Slurm has not said whether it took it.
std::optional<int64_t> SlurmBackend::submit(const ArrayPlan& plan, const Array& array, int64_t after,
                                            const std::vector<int64_t>& behind, int lock) {
  std::vector<std::string> argv{"sbatch", "--parsable"};
  if (const std::string waits = dependency(after, behind); !waits.empty()) argv.push_back("--dependency=" + waits);
  argv.push_back(array.files.script());
  sync_file_system(array.files.directory);
  // sbatch holds the lock as well: while it is free, nothing is on its way to Slurm.
  const CommandOutput said = run_(argv, {.seconds = 300, .lock_descriptor = lock});
  auto job = said.exit_code == 0 ? parse_sbatch(said.out) : std::nullopt;
  if (!job && is_refusal(said)) throw refusal(array.files, said);
  if (!job) job = find_by_name(array.files.name());
  write_submitted(array.files, {.job = job.value_or(0),
                                .time = clock_.unix_seconds(),
                                .throttle = plan.throttle,
                                .controller = controller_of(cluster_, clock_.unix_seconds())});
  return job;
}

std::vector<JobHandle> SlurmBackend::launch(const std::vector<Reservation>& jobs) {
  const auto lock = std::move(submitting_);
  if (!lock) throw std::logic_error("jobs are launched that were not reserved");
  std::vector<Job> wanted;
  for (const Reservation& r : jobs) wanted.push_back(r.job);
  const int64_t most = ceiling(jobs);
  const Unfinished earlier = most > 0 ? unfinished_arrays() : Unfinished{};
  const ArrayLimits limits{.max_array_size = cluster_.max_array_size,
                           .jobs_per_task = options_.pack * options_.side_by_side,
                           .ceiling = most,
                           .taken = earlier.at_once};
  const ArrayPlans plans = plan_arrays(wanted, known_trunks(jobs), limits);
  const bool was_due = is_follow_up_due();
  make_writable_directory(follow_up_files().directory);
  replace_file(follow_up_due(), "");
  std::vector<bool> started(jobs.size(), false);
  std::vector<int64_t> ids;
  try {
    for (const ArrayPlan& plan : plans.arrays) {
      const Array array = prepare(plan, jobs);
      std::vector<int64_t> behind = plan.behind_earlier ? earlier.jobs : std::vector<int64_t>{};
      for (const int b : plan.behind) behind.push_back(ids.at(static_cast<size_t>(b)));
      const int64_t after = plan.after_plan >= 0 ? ids.at(static_cast<size_t>(plan.after_plan)) : plan.after_job;
      const auto id = submit(plan, array, after, behind, lock->get());
      for (const size_t j : array.jobs) started[j] = true;
      if (!id) throw IoError({.what = "Slurm has not said whether it took " + array.files.name()});
      ids.push_back(*id);
    }
  } catch (const Error& error) {
    if (std::find(started.begin(), started.end(), true) == started.end()) {
      if (!was_due) fs::remove(follow_up_due());
      throw;
    }
    log::warn(fmt::format("{} of {} job arrays are submitted: {}", ids.size(), plans.arrays.size(), error.what()));
  }
  std::vector<JobHandle> left;
  for (size_t j = 0; j < jobs.size(); ++j)
    if (!started[j]) left.push_back(jobs[j].handle);
  return left;
}

std::vector<std::string> SlurmBackend::test_only(const std::vector<Job>& jobs) {
  std::vector<std::string> answers;
  const ArrayLimits limits{.max_array_size = cluster_.max_array_size, .jobs_per_task = 1};
  std::vector<JobShape> seen;
  for (const ArrayPlan& plan : plan_arrays(jobs, {}, limits).arrays) {
    if (std::find(seen.begin(), seen.end(), plan.shape) != seen.end()) continue;
    seen.push_back(plan.shape);
    const BatchFiles files{fmt::format("{}/hyscale-{}-test", options_.directory, options_.label)};
    make_writable_directory(files.directory);
    write_file_atomically(files.script(), slurm_script(options_, files, plan));
    const CommandOutput said = run_({"sbatch", "--test-only", files.script()}, {});
    if (said.exit_code != 0) throw refusal(files, said);
    const std::string words = said.err + said.out;
    answers.push_back(words.substr(0, words.find_last_not_of('\n') + 1));
  }
  return answers;
}

}  // namespace hyscale::cluster
