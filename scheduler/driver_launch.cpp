// How a driver starts runs: which may start and from where, then reservation, database, launch, in this order.

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <utility>

#include "core/base/error.h"
#include "core/base/process.h"
#include "scheduler/driver.h"

namespace hyscale::scheduler {

using storage::RunRow;
using Kind = Event::Kind;

int Driver::free_slots() const {
  const auto active = tools_.database.active_runs();
  const std::string host = host_name();
  return slots_ - static_cast<int>(std::count_if(active.begin(), active.end(), [&](const RunRow& run) {
           return run.backend == tools_.backend.name() && run.job_host == host;
         }));
}

void Driver::start_what_may() {
  const bool queue = tools_.backend.has_queue();
  int free = queue ? std::numeric_limits<int>::max() : free_slots();
  branch_waits_ = false;
  starting_.clear();
  std::vector<Starting> batch;
  for (const RunRow& run : tools_.database.runs_in(study_, to_string(RunState::planned))) {
    const auto start = starting_point(run);
    branch_waits_ = branch_waits_ || !start;
    auto prepared = start && free > 0 ? prepare(run, *start) : std::nullopt;
    if (!prepared) continue;
    --free;
    starting_[run.run_id] = prepared->job.directory;
    batch.push_back(std::move(*prepared));
    if (!queue) launch(std::exchange(batch, {}));
  }
  if (!batch.empty()) launch(std::move(batch));
  branch_waits_ = branch_waits_ && free > 0;
}

std::optional<Driver::Start> Driver::starting_point(const RunRow& run) {
  const Wanted& its = wanted(run.run_id);
  if (its.parent.empty() || tools_.files.has_any_checkpoint(run.run_id)) return Start{};
  if (const auto checkpoint = tools_.files.checkpoint(its.parent, its.branch_step)) return Start{*checkpoint, ""};
  const auto trunk = tools_.database.run(its.parent);
  if (!trunk || state_of(*trunk) == RunState::done) return Start{};  // it left no checkpoint here: train the whole run
  if (is_final(state_of(*trunk)))
    apply(run, {.kind = Kind::trunk_is_final,
                .trunk = state_of(*trunk),
                .message = fmt::format("its trunk {} is {} short of step {}", trunk->run_id.substr(0, 12), trunk->state,
                                       its.branch_step)});
  if (!tools_.backend.has_queue()) return std::nullopt;
  const std::string path = tools_.files.checkpoint_path(its.parent, its.branch_step);
  if (const auto found = starting_.find(its.parent); found != starting_.end()) return Start{path, found->second};
  if (is_active(state_of(*trunk)) && trunk->backend == tools_.backend.name()) return Start{path, trunk->job_id};
  return std::nullopt;
}

std::optional<Driver::Starting> Driver::prepare(const RunRow& run, const Start& start) {
  std::string problem;
  if (const auto result = tools_.files.result(run.run_id, problem)) {
    finish(run, *result);
    return std::nullopt;
  }
  RunRow next = *tools_.database.run(run.run_id);  // with its config
  // A branch computes with its trunk's micro-batch, so that its bits are those of the stand-alone run.
  if (const auto trunk = tools_.database.run(wanted(run.run_id).parent); trunk && next.micro_batch == 0)
    next.micro_batch = trunk->micro_batch;
  cluster::Job job = tools_.make_job({.run = next,
                                      .number = run.attempts + 1,
                                      .from = start.from,
                                      .after = start.after,
                                      .resume = tools_.files.has_begun(run.run_id),
                                      .checkpoint_at = wanted(run.run_id).checkpoint_at});
  return Starting{std::move(next), std::move(job)};
}

std::vector<cluster::Reservation> Driver::enter(const std::vector<Starting>& batch) {
  std::vector<cluster::JobHandle> handles;
  for (const Starting& s : batch) {
    handles.push_back(tools_.backend.reserve(s.job));
    tools_.files.clear_stop(s.run.run_id);
  }
  std::vector<cluster::Reservation> ours;
  tools_.database.transaction([&] {
    ours.clear();
    if (!tools_.database.renew_lease(*lease_, kLeaseSeconds)) return;
    for (size_t i = 0; i < batch.size(); ++i) {
      const RunRow& run = batch[i].run;
      auto now = tools_.database.run(run.run_id);
      if (!now || state_of(*now) != RunState::planned || now->attempts != run.attempts) continue;
      *now = after(*now, {.kind = Kind::launched});
      now->backend = handles[i].backend, now->job_host = handles[i].host, now->job_id = handles[i].id;
      now->submitted = tools_.clock.unix_seconds();
      now->started = now->ended = 0;
      now->micro_batch = run.micro_batch;
      tools_.database.update_run(*now);
      ours.push_back({batch[i].job, handles[i]});
    }
  });
  return ours;
}

void Driver::launch(std::vector<Starting> batch) {
  const auto ours = enter(batch);
  if (ours.empty()) return;
  std::vector<cluster::JobHandle> left;
  try {
    left = tools_.backend.launch(ours);
  } catch (const Error&) {
    for (const cluster::Reservation& r : ours) left.push_back(r.handle);
    if (tools_.backend.has_queue()) give_back(left);
    throw;
  }
  give_back(left);
}

void Driver::give_back(const std::vector<cluster::JobHandle>& jobs) {
  std::set<std::string> ids;
  for (const cluster::JobHandle& job : jobs) ids.insert(job.id);
  if (ids.empty()) return;
  for (const RunRow& run : tools_.database.runs(study_))
    if (is_active(state_of(run)) && ids.contains(run.job_id))
      apply(run, {.kind = Kind::ended, .cause = cluster::EndCause::not_begun});
}

}  // namespace hyscale::scheduler
