#include "scheduler/standing.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <numeric>
#include <unordered_map>

#include "cluster/job_files.h"
#include "core/base/error.h"
#include "scheduler/driver.h"
#include "scheduler/find_run.h"
#include "scheduler/run_state.h"
#include "scheduler/settings.h"
#include "scheduler/worker_job.h"

namespace hyscale::scheduler {
namespace {

/// Executed FLOPs that this run adds: a branch shares its trunk's prefix.
double cost(const RunStanding& r) {
  return static_cast<double>(r.run.figures.tokens - r.cell.branch_tokens) * r.run.figures.flops_per_token_executed;
}

double share_done(const RunStanding& r) {
  if (r.run.state == "done") return 1;
  if (!r.status || r.status->steps <= r.cell.branch_step) return 0;
  const auto from = static_cast<double>(r.cell.branch_step);
  return std::clamp((static_cast<double>(r.status->step) - from) / (static_cast<double>(r.status->steps) - from), 0.0,
                    1.0);
}

/// What one run occupies, for the cost so far.
void count_units(Standing& s, const Settings& settings) {
  const studies::Resources& r = settings.resources;
  s.unit = r.device == "cuda" || r.gpus > 0 ? "GPU" : "core";
  s.units = s.unit == "GPU" ? static_cast<double>(std::max<int64_t>(r.gpus, 1)) / static_cast<double>(r.runs_per_gpu)
                            : static_cast<double>(r.ranks * std::max<int64_t>(r.threads, 1));
}

/// Sums over runs of what they cost and have cost, in executed FLOPs and seconds.
struct Work {
  double total = 0, behind = 0, ahead = 0, measured = 0, seconds = 0, busy = 0;

  void add(const RunStanding& r) {
    total += cost(r);
    behind += cost(r) * share_done(r);
    if (!is_final(state_of(r.run))) ahead += cost(r) * (1 - share_done(r));
    const double its = r.run.state == "done" || r.status ? busy_seconds(r) : 0;
    if (its > 0) measured += cost(r) * share_done(r), seconds += its;
    busy += busy_seconds(r);
  }
  /// Runs that are done, or of which none has a status.
  void add(const storage::WorkRow& all) {
    total += all.flops, busy += all.busy_seconds;
    if (all.state == "done") {
      behind += all.flops;
      measured += all.measured_flops, seconds += all.busy_seconds;
    } else {
      ahead += all.flops;
    }
  }
  /// From the speed of the runs that are done, one slot's worth each.
  void estimate(Standing& s, int slots) const {
    s.busy_seconds = busy;
    s.done_share = total > 0 ? behind / total : 1;
    s.eta_seconds = measured > 0 ? ahead / measured * seconds / slots : std::nan("");
  }
};

/// The database hears of the restarts that the batch system makes by itself when the attempt has ended.
void count_restarts(storage::RunRow& run) {
  const auto processes = cluster::read_processes({run.job_id});
  if (!processes) return;
  run.requeues += processes->launch - 1 - processes->silent;
  run.node_faults += processes->silent;
}

}  // namespace

double busy_seconds(const RunStanding& r) { return r.status ? r.status->busy_seconds : r.run.busy_seconds; }

std::string short_id(const std::string& run_id) { return run_id.substr(0, 12); }

int Standing::total() const {
  return std::accumulate(counts.begin(), counts.end(), 0,
                         [](int sum, const auto& count) { return sum + count.second; });
}
bool Standing::finished() const {
  return std::none_of(counts.begin(), counts.end(),
                      [](const auto& count) { return !is_final(state_named(count.first)); });
}
bool Standing::all_done() const {
  return std::all_of(counts.begin(), counts.end(), [](const auto& count) { return count.first == "done"; });
}

std::string log_path(const std::string& store, const storage::RunRow& run) {
  const std::string own = storage::RunDirectory{store + "/runs/" + run.run_id}.log();
  // A worker that failed before it had a run directory has spoken on its standard error only.
  if (run.attempts == 0 || state_of(run) == RunState::done || std::filesystem::exists(own)) return own;
  return job_directory(store, run.run_id, run.attempts) + "/output.txt";
}

/// What the run's own files say while it runs.
static RunStanding look(storage::RunRow run, storage::CellRow cell, const RunFiles& files) {
  RunStanding r{.run = std::move(run), .cell = std::move(cell), .status = std::nullopt};
  r.validation_loss = std::nan("");
  if (state_of(r.run) != RunState::running) return r;
  r.status = files.status(r.run.run_id);
  if (r.status && r.status->heartbeat < r.run.submitted) r.status.reset();
  count_restarts(r.run);
  return r;
}

/// All but runs, counts and work.
static Standing frame(const storage::Database& database, const std::string& study, const Settings& settings) {
  Standing s{.study = study, .store = database.store()};
  s.driver = database.lease_holder(lease_name(study));
  s.on_slurm = settings.on == "slurm", s.waits = settings.waits;
  count_units(s, settings);
  return s;
}

Standing standing(const storage::Database& database, const RunFiles& files, const std::string& study, Losses wanted) {
  check_study(database, study);
  std::unordered_map<std::string, storage::CellRow> cells;
  for (auto& cell : database.cells(study)) cells.try_emplace(cell.run_id, std::move(cell));
  // A large study's run directories are left alone but for those of running runs, of which there are few.
  auto runs = database.runs(study, storage::Database::Configs::left_out);
  // Read after the runs: a run that is done has its loss.
  const auto losses = wanted == Losses::read ? database.losses(study) : std::map<std::string, double>{};
  const Settings settings = settings_from_json(database.study(study)->settings);
  Standing s = frame(database, study, settings);
  s.runs.reserve(runs.size());
  Work work;
  for (storage::RunRow& run : runs) {
    auto& cell = cells[run.run_id];
    RunStanding& r = s.runs.emplace_back(look(std::move(run), std::move(cell), files));
    if (const auto loss = losses.find(r.run.run_id); loss != losses.end()) r.validation_loss = loss->second;
    ++s.counts[r.run.state];
    work.add(r);
  }
  work.estimate(s, settings.slots);
  return s;
}

Standing brief_standing(const storage::Database& database, const RunFiles& files, const std::string& study,
                        int64_t most) {
  check_study(database, study);
  const Settings settings = settings_from_json(database.study(study)->settings);
  Standing s = frame(database, study, settings);
  Work work;
  for (const storage::WorkRow& all : database.work(study)) {
    s.counts[all.state] = all.runs;
    const RunState state = state_named(all.state);
    if (state == RunState::done) {
      work.add(all);
      continue;
    }
    const bool waits = state == RunState::planned || state == RunState::submitted;
    if (waits) work.add(all);
    if (state == RunState::planned) continue;
    for (storage::RunRow& run : database.runs_in(study, all.state, waits ? most : -1)) {
      auto cell = database.first_cell(study, run.run_id);
      s.runs.push_back(look(std::move(run), std::move(cell), files));
      if (!waits) work.add(s.runs.back());
    }
  }
  work.estimate(s, settings.slots);
  return s;
}

}  // namespace hyscale::scheduler
