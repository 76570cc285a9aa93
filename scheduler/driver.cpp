#include "scheduler/driver.h"

#include <algorithm>
#include <utility>

#include "core/base/exit_code.h"
#include "core/base/process.h"

namespace hyscale::scheduler {
namespace {

using storage::RunRow;
using Kind = Event::Kind;

constexpr double kHeartbeatSeconds = 5;
constexpr size_t kWrittenAtOnce = 256;  // changes written at once: a transaction waits for the disk, whatever its size
constexpr double kCheckpointLookSeconds = 0.1;  // nothing tells when a trunk comes to a branch point

}  // namespace

Event end_event(const RunRow& run, const cluster::JobStatus& job, const std::optional<storage::RunStatus>& status) {
  Event event{.kind = Kind::ended,
              .exit_code = job.exit_code,
              .signal = job.signal,
              .cause = job.cause,
              .restarts = job.restarts,
              .node_failures = job.node_failures,
              .message = job.message};
  const bool about_this = status && status->heartbeat >= run.submitted;
  if (about_this) event.step = status->step;
  if (about_this && !status->message.empty()) event.message = status->message;
  if (job.cause != cluster::EndCause::own_exit) return event;
  // mpirun may end in a status of its own after its ranks have checkpointed.
  if (about_this && status->state == storage::WorkerState::stopped)
    return {.kind = Kind::ended,
            .exit_code = status->exit_code,
            .restarts = job.restarts,
            .node_failures = job.node_failures,
            .step = event.step,
            .message = event.message};
  if (job.state == cluster::JobState::ended) return event;
  // The keeper was killed, so nobody took the exit code down; the worker may have said it itself.
  if (about_this && status->state != storage::WorkerState::running)
    event.exit_code = status->exit_code;
  else
    event.kind = Kind::gone;
  return event;
}

std::string lease_name(const std::string& study) { return "drive:" + study; }
cluster::JobHandle job_of(const RunRow& run) { return {run.backend, run.job_host, run.job_id}; }
cluster::JobHandle job_of(const storage::ActiveRow& run) { return {run.backend, run.job_host, run.job_id}; }

Driver::Driver(DriverTools tools, std::string study, int slots)
    : tools_(std::move(tools)), study_(std::move(study)), slots_(slots) {}

bool Driver::take_lease() {
  lease_ = tools_.database.take_lease(lease_name(study_), kLeaseSeconds);
  renewed_ = tools_.clock.unix_seconds();
  return lease_.has_value();
}

bool Driver::heartbeat() {
  if (tools_.clock.unix_seconds() - renewed_ < kHeartbeatSeconds) return true;
  renewed_ = tools_.clock.unix_seconds();
  return tools_.database.renew_lease(*lease_, kLeaseSeconds);
}

bool Driver::round() {
  if (!heartbeat()) return false;
  wanted_.clear();
  take_in_all();
  if (tools_.launches) start_what_may();
  bool left = true;
  // In one transaction: whoever adds work afterwards sees that nobody drives the study any more.
  tools_.database.transaction([&] {
    left = tools_.database.has_unfinished(study_);
    if (!left) tools_.database.release_lease(*lease_);
  });
  return left;
}

void Driver::wait(double seconds) {
  std::vector<cluster::JobHandle> jobs;
  for (const RunRow& run : tools_.database.active_runs()) jobs.push_back(job_of(run));
  tools_.backend.wait(jobs, branch_waits_ ? std::min(seconds, kCheckpointLookSeconds) : seconds);
}

void Driver::release() { tools_.database.release_lease(*lease_); }

const Driver::Wanted& Driver::wanted(const std::string& run_id) {
  if (wanted_.empty()) read_cells();
  return wanted_[run_id];
}

void Driver::read_cells() {
  for (const storage::CellRow& cell : tools_.database.cells(study_)) {
    Wanted& wanted = wanted_[cell.run_id];
    if (cell.role == "branch") wanted.parent = cell.parent, wanted.branch_step = cell.branch_step;
    for (const int64_t tokens : cell.checkpoint_at) wanted.checkpoint_at.push_back(tokens);
  }
  for (auto& [run_id, wanted] : wanted_) {
    std::sort(wanted.checkpoint_at.begin(), wanted.checkpoint_at.end());
    wanted.checkpoint_at.erase(std::unique(wanted.checkpoint_at.begin(), wanted.checkpoint_at.end()),
                               wanted.checkpoint_at.end());
  }
}

cluster::Backend* Driver::backend_of(const storage::ActiveRow& run) const {
  if (run.backend == tools_.backend.name()) return &tools_.backend;
  return tools_.other != nullptr && run.backend == tools_.other->name() ? tools_.other : nullptr;
}

void Driver::take_in_all() {
  std::vector<storage::ActiveRow> active;
  std::vector<cluster::JobHandle> jobs, to_stop;
  for (storage::ActiveRow& run : tools_.database.active_jobs(study_)) {
    if (backend_of(run) == nullptr) continue;
    jobs.push_back(job_of(run));
    if (run.cancel_asked && asked_to_stop_.insert(run.job_id).second) to_stop.push_back(jobs.back());
    active.push_back(std::move(run));
  }
  if (!jobs.empty()) tools_.backend.refresh(jobs);
  for (cluster::Backend* backend : {&tools_.backend, tools_.other})
    if (backend != nullptr) {
      auto its = to_stop;
      std::erase_if(its, [&](const cluster::JobHandle& job) { return job.backend != backend->name(); });
      if (!its.empty()) backend->cancel(its, cluster::Backend::Cancel::ask);
    }
  for (const storage::ActiveRow& run : active) take_in(run, *backend_of(run));
  write_changes();
}

void Driver::later(std::function<void()> change) {
  changes_.push_back(std::move(change));
  if (changes_.size() >= kWrittenAtOnce) write_changes();
}

void Driver::write_changes() {
  const auto changes = std::exchange(changes_, {});
  if (changes.empty()) return;
  heartbeat();
  tools_.database.transaction([&] {
    for (const auto& change : changes) change();
  });
}

void Driver::take_in(const storage::ActiveRow& active, cluster::Backend& backend) {
  const cluster::JobStatus status = backend.poll(job_of(active));
  if (status.state != cluster::JobState::unknown) out_of_sight_.erase(active.run_id);
  if (status.state == cluster::JobState::queued) return;
  if (status.state == cluster::JobState::running) {
    if (active.state != to_string(RunState::submitted)) return;
    const auto said = tools_.files.status(active.run_id);
    if (!said || said->heartbeat < active.submitted) return;
  }
  const double now = tools_.clock.unix_seconds();
  if (status.state == cluster::JobState::unknown &&
      now - out_of_sight_.try_emplace(active.run_id, now).first->second <= backend.lost_after())
    return;
  const auto run = tools_.database.run(active.run_id);
  if (!run || run->job_id != active.job_id) return;  // it has gone on to another attempt
  switch (status.state) {
    case cluster::JobState::queued:
      break;
    case cluster::JobState::running:
      later([this, run] { apply(*run, {.kind = Kind::started}); });
      break;
    case cluster::JobState::ended:
    case cluster::JobState::gone:
      take_in_end(*run, status);
      break;
    case cluster::JobState::unknown:
      apply(*run, {.kind = Kind::out_of_sight, .message = "job " + run->job_id + " on " + run->job_host});
      break;
  }
}

void Driver::take_in_end(const RunRow& run, const cluster::JobStatus& job) {
  const auto status = tools_.files.status(run.run_id);
  Event event = end_event(run, job, status);
  if (event.exit_code != static_cast<int>(ExitCode::diverged)) {
    std::string problem;
    if (auto result = tools_.files.result(run.run_id, problem))
      return later([this, run, result = std::move(*result), job] { finish(run, result, job); });
    if (!problem.empty()) event.message = problem;
  }
  const bool nobody_knows =
      event.cause == cluster::EndCause::vanished || event.cause == cluster::EndCause::cancelled_outside;
  if (nobody_knows && !can_still_start(run)) event.cause = cluster::EndCause::not_begun;
  event.can_shrink = tools_.files.micro_batch(run.run_id) != 1;
  apply(run, event);
}

/// False of a branch whose trunk has ended short of it: Slurm removes such a job by itself.
bool Driver::can_still_start(const RunRow& run) {
  const Wanted& its = wanted(run.run_id);
  if (its.parent.empty() || tools_.files.checkpoint(its.parent, its.branch_step)) return true;
  const auto trunk = tools_.database.run(its.parent);
  return !trunk || is_active(state_of(*trunk)) || state_of(*trunk) == RunState::done;
}

void Driver::apply(const RunRow& run, const Event& event) {
  tools_.database.transaction([&] {
    auto now = tools_.database.run(run.run_id);
    if (!now || now->attempts != run.attempts || !applies(state_of(*now), event.kind)) return;
    *now = after(*now, event);
    const double time = tools_.clock.unix_seconds();
    if (event.kind == Kind::started) now->started = time;
    if (event.kind == Kind::ended || event.kind == Kind::gone) now->ended = time;
    const bool starved =
        event.cause == cluster::EndCause::out_of_memory ||
        (event.cause == cluster::EndCause::own_exit && event.exit_code == static_cast<int>(ExitCode::out_of_memory));
    if (event.kind == Kind::ended && starved)
      now->micro_batch = std::max<int64_t>(tools_.files.micro_batch(run.run_id) / 2, 1);
    tools_.database.update_run(*now);
  });
}

void Driver::finish(const RunRow& run, const storage::RunResult& result, const cluster::JobStatus& job) {
  const auto status = tools_.files.status(run.run_id);
  tools_.database.transaction([&] {
    auto now = tools_.database.run(run.run_id);
    if (!now || state_of(*now) == RunState::done) return;
    *now = after(*now, {.kind = Kind::finished, .restarts = job.restarts, .node_failures = job.node_failures});
    now->ended = tools_.clock.unix_seconds();
    if (!result.evals.empty()) now->last_step = std::max(now->last_step, result.evals.back().step);
    if (status) now->busy_seconds = status->busy_seconds;
    tools_.database.update_run(*now);
    tools_.database.put_result(run.run_id, result);
  });
}

}  // namespace hyscale::scheduler
