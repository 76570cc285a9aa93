#include "scheduler/standing.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <unordered_map>

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

/// From the speed of the runs that are done, one slot's worth each.
void estimate(Standing& s, int slots) {
  double total = 0, behind = 0, ahead = 0, measured = 0, seconds = 0;
  for (const RunStanding& r : s.runs) {
    total += cost(r);
    behind += cost(r) * share_done(r);
    if (!is_final(state_of(r.run))) ahead += cost(r) * (1 - share_done(r));
    const double busy = r.run.state == "done" || r.status ? busy_seconds(r) : 0;
    if (busy > 0) measured += cost(r) * share_done(r), seconds += busy;
    s.busy_seconds += busy_seconds(r);
  }
  s.done_share = total > 0 ? behind / total : 1;
  s.eta_seconds = measured > 0 ? ahead / measured * seconds / slots : std::nan("");
}

}  // namespace

double busy_seconds(const RunStanding& r) { return r.status ? r.status->busy_seconds : r.run.busy_seconds; }

std::string short_id(const std::string& run_id) { return run_id.substr(0, 12); }

bool Standing::finished() const {
  return std::all_of(runs.begin(), runs.end(), [](const RunStanding& r) { return is_final(state_of(r.run)); });
}
bool Standing::all_done() const {
  return std::all_of(runs.begin(), runs.end(), [](const RunStanding& r) { return r.run.state == "done"; });
}

std::string log_path(const std::string& store, const storage::RunRow& run) {
  const std::string own = storage::RunDirectory{store + "/runs/" + run.run_id}.log();
  // A worker that failed before it had a run directory has spoken on its standard error only.
  if (run.attempts == 0 || state_of(run) == RunState::done || std::filesystem::exists(own)) return own;
  return job_directory(store, run.run_id, run.attempts) + "/output.txt";
}

Standing standing(const storage::Database& database, const RunFiles& files, const std::string& study, Losses wanted) {
  check_study(database, study);
  Standing s{.study = study};
  std::unordered_map<std::string, storage::CellRow> cells;
  for (auto& cell : database.cells(study)) cells.try_emplace(cell.run_id, std::move(cell));
  // A large study's run directories are left alone but for those of running runs, of which there are few.
  auto runs = database.runs(study, storage::Database::Configs::left_out);
  s.runs.reserve(runs.size());
  // Read after the runs: a run that is done has its loss.
  const auto losses = wanted == Losses::read ? database.losses(study) : std::map<std::string, double>{};
  for (storage::RunRow& run : runs) {
    RunStanding r{.run = std::move(run), .cell = {}, .status = std::nullopt};
    if (const auto cell = cells.find(r.run.run_id); cell != cells.end()) r.cell = std::move(cell->second);
    if (state_of(r.run) == RunState::running) r.status = files.status(r.run.run_id);
    if (r.status && r.status->heartbeat < r.run.submitted) r.status.reset();
    const auto loss = losses.find(r.run.run_id);
    r.validation_loss = loss == losses.end() ? std::nan("") : loss->second;
    r.log = log_path(database.store(), r.run);
    ++s.counts[r.run.state];
    s.runs.push_back(std::move(r));
  }
  s.driver = database.lease_holder(lease_name(study));
  const Settings settings = settings_from_json(database.study(study)->settings);
  s.on_slurm = settings.on == "slurm", s.waits = settings.waits;
  count_units(s, settings);
  estimate(s, settings.slots);
  return s;
}

}  // namespace hyscale::scheduler
