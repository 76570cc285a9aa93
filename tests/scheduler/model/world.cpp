#include "tests/scheduler/model/world.h"

#include <csignal>
#include <filesystem>

#include "cluster/slurm_files.h"
#include "core/base/files.h"

namespace hyscale::scheduler::model {

namespace fs = std::filesystem;
using cluster::EndCause;
using cluster::JobFiles;
using Is = Truth::Is;

std::string World::run_of(const std::string& job) const { return fs::path(job).parent_path().filename(); }

int64_t World::step_of(const std::string& id) const {
  const auto found = runs.find(id);
  return found == runs.end() ? 0 : found->second.step;
}

std::optional<storage::RunResult> World::result(const std::string& id, std::string&) const {
  const auto found = runs.find(id);
  if (found == runs.end() || !found->second.finished) return std::nullopt;
  return storage::RunResult{.evals = {{kSteps, kSteps, 2.0, 1.0, 0.1, {}}}};
}

std::optional<storage::RunStatus> World::status(const std::string& id) const {
  if (!runs.contains(id)) return std::nullopt;
  storage::RunStatus status;
  status.step = step_of(id);
  status.heartbeat = 4e9;
  return status;
}

std::string World::checkpoint_path(const std::string& id, int64_t step) const {
  return store_ + "/" + id + "-" + std::to_string(step);
}

std::optional<std::string> World::checkpoint(const std::string& id, int64_t step) const {
  if (step_of(id) < step) return std::nullopt;
  return checkpoint_path(id, step);
}

bool World::may_start(const Array& array, int64_t index) const {
  if (array.after == 0) return true;
  return arrays_.at(array.after).tasks.at(index).state == "COMPLETED";
}

std::optional<World::TaskId> World::choose(Reach reach, unsigned which) {
  std::vector<TaskId> found;
  for (auto& [id, array] : arrays_)
    for (auto& [index, task] : array.tasks) {
      if (array.lost || array.late > 0) continue;
      const bool fits =
          reach == Reach::run ? task.state == "RUNNING" : task.state == "PENDING" && may_start(array, index);
      if (fits) found.push_back({id, index});
    }
  if (found.empty()) return std::nullopt;
  return found[which % found.size()];
}

/// As keeper and worker begin.
void World::start(TaskId id) {
  Task& task = at(id);
  const JobFiles files{task.job};
  replace_file(cluster::BatchFiles{store_ + "/slurm/" + arrays_.at(id.array).name}.output(id.index), "");
  if (cluster::is_locked(files.lock())) return;  // its keeper waits
  const auto before = read_end(files);
  if (before && !before->requeued && !fs::exists(files.terminated()))
    return end_task(task, before->exit_code == 0 ? "COMPLETED" : "FAILED");
  if (fs::exists(files.revoked())) {
    task.truth.is = Is::ended, task.truth.exit_code = 75;
    return end_task(task, "FAILED");
  }
  const cluster::Job job = read_command(files);
  const std::string name = run_of(task.job);
  if (!job.needs.empty() && !fs::exists(job.needs) && !runs.contains(name))
    violation = name + " starts without its trunk";
  const auto processes = read_processes(files);
  const bool spoke = fs::exists(files.terminated()) || (before && processes && before->launch == processes->launch);
  task.truth.launches = processes ? processes->launch + 1 : 1;
  task.truth.node_failures = processes ? processes->silent + (spoke ? 0 : 1) : 0;
  for (const std::string& old : {files.ended(), files.terminated()}) fs::remove(old);
  task.lock = cluster::take_lock(files.lock());
  write_processes(files, {.host = "node", .launch = task.truth.launches, .silent = task.truth.node_failures});
  Run& run = runs[name];
  if (over.contains(name)) violation = name + " is trained although it has ended";
  if (++run.workers > 1) violation = name + " is trained twice at the same time";
  if (job.argv.size() > 1) run.step = std::max(run.step, kBranchStep);  // --from a checkpoint
  task.step_at_start = run.step;
  task.state = "RUNNING", task.truth.is = Is::running;
  if (run.finished) worker_ends(id, 0);  // it finds its record
}

void World::advance(TaskId id, int64_t steps) {
  Run& run = runs[run_of(at(id).job)];
  run.step = std::min(run.step + steps, kSteps);
  if (run.step >= kBranchStep) replace_file(checkpoint_path(run_of(at(id).job), kBranchStep), "");
}

void World::finish(TaskId id) {
  advance(id, kSteps);
  runs[run_of(at(id).job)].finished = true;
  worker_ends(id, 0);
}

void World::leave(Task& task) {
  --runs[run_of(task.job)].workers;
  task.lock.reset();
  task.to_stop = false;
}

void World::end_task(Task& task, const std::string& state, const std::string& reason) {
  task.state = state, task.reason = reason, task.ended = clock.now;
  task.truth.is = Is::ended;
  remove_orphans();
}

cluster::JobEnd World::end_of(const Task& task, int exit_code, int signal) const {
  return {.exit_code = exit_code, .signal = signal, .launch = task.truth.launches, .silent = task.truth.node_failures};
}

void World::worker_ends(TaskId id, int exit_code, int signal) {
  Task& task = at(id);
  const JobFiles files{task.job};
  Run& run = runs[run_of(task.job)];
  run.diverged = exit_code == 4;
  auto end = end_of(task, exit_code, signal);
  end.requeued = exit_code == 75 && !fs::exists(files.revoked()) && run.step > task.step_at_start;
  write_end(files, end);
  leave(task);
  if (end.requeued) {
    task.state = "PENDING", task.truth.is = Is::waiting;
    return;
  }
  task.truth.cause = EndCause::own_exit, task.truth.exit_code = exit_code, task.truth.signal = signal;
  task.truth.said_itself = signal == 0;
  end_task(task, exit_code == 0 ? "COMPLETED" : "FAILED");
}

/// The worker hears it as well and writes a checkpoint.
void World::terminate(Task& task) {
  replace_file(JobFiles{task.job}.terminated(), "");
  write_end({task.job}, end_of(task, 75, 0));
  leave(task);
}

void World::stopped_by_slurm(TaskId id, const std::string& state) {
  Task& task = at(id);
  terminate(task);
  if (state == "PENDING") {
    task.state = state, task.truth.is = Is::waiting;
    return;
  }
  task.truth.cause = state == "PREEMPTED" ? EndCause::preempted : EndCause::time_limit;
  end_task(task, state);
}

void World::node_dies(TaskId id, bool requeued, bool had_finished) {
  Task& task = at(id);
  if (had_finished) advance(id, kSteps), runs[run_of(task.job)].finished = true;
  leave(task);
  if (requeued) {
    task.state = "PENDING", task.truth.is = Is::waiting;
    return;
  }
  task.truth.cause = EndCause::node_failure;
  end_task(task, "NODE_FAIL");
}

void World::keeper_dies(TaskId id) {
  Task& task = at(id);
  leave(task);
  task.truth.cause = EndCause::own_exit, task.truth.silent = true;
  end_task(task, "FAILED");
}

void World::cancelled_by_hand(unsigned which) {
  std::vector<Task*> there;
  for (auto& [id, array] : arrays_)
    for (auto& [index, task] : array.tasks)
      if (!array.lost && array.late == 0 && (task.state == "PENDING" || task.state == "RUNNING"))
        there.push_back(&task);
  if (there.empty()) return;
  Task& task = *there[which % there.size()];
  if (task.state == "RUNNING") terminate(task);
  task.truth.cause = EndCause::cancelled_outside;
  end_task(task, "CANCELLED");
}

void World::controller_restarts(bool loses) {
  booted_ = clock.now;
  for (auto& [id, array] : arrays_) {
    const auto begun = [](const auto& entry) {
      return entry.second.state != "PENDING" || entry.second.truth.launches > 0;
    };
    if (!loses || !array.fresh || array.late > 0 || std::any_of(array.tasks.begin(), array.tasks.end(), begun))
      continue;
    array.lost = true;
    for (auto& [index, task] : array.tasks) task.truth.is = Is::forgotten;
  }
}

void World::deliver_signals() {
  for (auto& [id, array] : arrays_)
    for (auto& [index, task] : array.tasks)
      if (task.state == "RUNNING" && task.to_stop) worker_ends({id, index}, 75);
}

void World::settle() {
  if (deaf) return;
  for (auto& [id, array] : arrays_) array.fresh = array.late > 0, array.late = std::max(array.late - 1, 0);
}

bool World::idle() const {
  for (const auto& [id, array] : arrays_)
    for (const auto& [index, task] : array.tasks)
      if (!array.lost && (task.state == "PENDING" || task.state == "RUNNING")) return false;
  return true;
}

Truth World::truth(const std::string& job) const {
  for (const auto& [id, array] : arrays_)
    for (const auto& [index, task] : array.tasks)
      if (task.job == job) return array.late > 0 ? Truth{} : task.truth;
  return {};
}

}  // namespace hyscale::scheduler::model
