#include "scheduler/rebuild.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <utility>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "scheduler/driver.h"
#include "scheduler/job_reader.h"
#include "scheduler/registration.h"
#include "scheduler/run_files.h"
#include "scheduler/run_state.h"
#include "scheduler/worker_job.h"

namespace hyscale::scheduler {
namespace {

namespace fs = std::filesystem;
using storage::RunRow;

/// The number of the last attempt that left a job directory; 0: none.
int last_attempt(const std::string& store, const std::string& run_id) {
  int last = 0;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(fs::path(job_directory(store, run_id, 1)).parent_path(), absent)) {
    const std::string name = entry.path().filename().string();
    int number = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), number).ec == std::errc{})
      last = std::max(last, number);
  }
  return last;
}

/// The run as the end of one attempt has left it. False: that attempt has not ended, as far as can be told.
bool take_in_attempt(RunRow& run, const cluster::JobHandle& job, bool last, const StoreRunFiles& files,
                     JobReader& reader) {
  if (run.state == to_string(RunState::failed)) run = after(run, {.kind = Event::Kind::retry});  // or it ended there
  run.backend = job.backend, run.job_host = job.host, run.job_id = job.id;
  run.state = to_string(RunState::running);
  run.cancel_asked = last && files.asked_to_stop(run.run_id, run.attempts);
  const auto status = last ? files.status(run.run_id) : std::nullopt;
  if (status) run.submitted = reader.submitted(job).value_or(status->started);
  const cluster::JobStatus found = reader.poll(job);
  if (found.state == cluster::JobState::ended || found.state == cluster::JobState::gone) {
    Event event = end_event(run, found, status);
    if (!last) event.step = run.last_step + 1;  // it went on, so it was taken to have advanced
    run = after(run, event);
    return true;
  }
  const bool seen = status && status->heartbeat >= run.submitted;
  run.state = to_string(!last ? RunState::planned : seen ? RunState::running : RunState::submitted);
  return !last;  // there is a later one, so it has ended: nobody knows how
}

/// State, cause, counters and job as the ends of its attempts have left them. What only the database knew is lost: that
/// a run was cancelled before it began, and when a person had it tried again.
RunRow as_found(const std::string& store, RunRow run, const StoreRunFiles& files, JobReader& reader) {
  run.attempts = last_attempt(store, run.run_id);
  const auto status = files.status(run.run_id);
  if (status) run.busy_seconds = status->busy_seconds;
  for (int number = 1; number <= run.attempts; ++number) {
    const auto job = reader.handle_of(job_directory(store, run.run_id, number));
    if (job && !take_in_attempt(run, *job, number == run.attempts, files, reader)) break;
  }
  if (status) run.last_step = status->step;
  return run;
}

/// Of the last attempts of all runs of these studies.
std::vector<cluster::JobHandle> last_jobs(const std::string& store, const std::vector<std::string>& studies,
                                          JobReader& reader) {
  std::vector<cluster::JobHandle> jobs;
  for (const std::string& study : studies)
    for (const RunRow& run : read_archive(store, study).runs)
      if (const int last = last_attempt(store, run.run_id); last > 0)
        if (const auto job = reader.handle_of(job_directory(store, run.run_id, last))) jobs.push_back(*job);
  return jobs;
}

constexpr size_t kBatch = 256;  // results written at once: a transaction waits for the disk, whatever its size

/// An active run is its driver's business, and a diverged one stays so.
bool may_take_in(const RunRow& run) {
  const RunState state = state_of(run);
  return !is_active(state) && state != RunState::diverged && applies(state, Event::Kind::finished);
}

/// A final record that was found and is not in the database yet.
struct Found {
  std::string run_id;
  storage::RunResult result;
  double busy_seconds = 0;  // 0: not known
};

std::optional<Found> find_result(const std::string& run_id, const StoreRunFiles& files) {
  std::string problem;
  auto result = files.result(run_id, problem);
  if (!problem.empty()) log::warn(problem);
  if (!result) return std::nullopt;
  const auto status = files.status(run_id);
  return Found{run_id, std::move(*result), status ? status->busy_seconds : 0};
}

/// Only runs that another program has not begun or ended meanwhile; returns how many.
int take_in(storage::Database& database, const std::vector<Found>& batch) {
  int taken = 0;
  database.transaction([&] {
    taken = 0;
    for (const Found& found : batch) {
      const auto now = database.run(found.run_id);
      if (!now || !may_take_in(*now)) continue;
      RunRow done = after(*now, {.kind = Event::Kind::finished});
      if (found.busy_seconds > 0) done.busy_seconds = found.busy_seconds;
      database.update_run(done);
      database.put_result(found.run_id, found.result);
      ++taken;
    }
  });
  return taken;
}

/// Nobody carries on with a rebuilt study unasked.
Registration made_to_wait(Registration registration) {
  Settings settings = settings_from_json(registration.study.settings);
  settings.host.clear(), settings.waits = true;
  registration.study.settings = to_json(settings);
  return registration;
}

void rebuild_study(storage::Database& fresh, const std::string& study, JobReader& reader, Rebuilt& r) {
  const StoreRunFiles files(fresh.store());
  const Registration registration = made_to_wait(read_archive(fresh.store(), study));
  add_to_database(fresh, registration);
  for (const RunRow& run : registration.runs) {
    const RunRow known = *fresh.run(run.run_id);
    if (known.state != to_string(RunState::planned) || known.attempts > 0) continue;  // another study had it
    ++r.runs;
    const RunRow found = as_found(fresh.store(), known, files, reader);
    fresh.update_run(found);
    if (is_active(state_of(found))) ++r.running;
    if (!may_take_in(found)) continue;
    if (const auto result = find_result(found.run_id, files)) r.done += take_in(fresh, {*result});
  }
}

}  // namespace

Rebuilt rebuild_database(const std::string& store) {
  const auto studies = archived_studies(store);
  if (studies.empty())
    throw ConfigError({.what = "there is nothing below " + store + "/studies to rebuild from",
                       .remedy = "name the store with --store"});
  Rebuilt r{.studies = static_cast<int>(studies.size())};
  JobReader reader(store);
  reader.refresh(last_jobs(store, studies, reader));
  storage::Database::rebuild(store, [&](storage::Database& fresh) {
    // In one transaction: nobody else sees the new file before it is whole, and each one waits for the disk.
    fresh.transaction([&] {
      for (const std::string& study : studies) rebuild_study(fresh, study, reader, r);
    });
  });
  return r;
}

bool take_result(storage::Database& database, const std::string& run_id) {
  const auto found = find_result(run_id, StoreRunFiles(database.store()));
  return found && take_in(database, {*found}) == 1;
}

int collect_results(storage::Database& database, const std::string& study) {
  const StoreRunFiles files(database.store());
  int taken = 0;
  std::vector<Found> batch;
  ProgressLine line;
  const auto flush = [&] {
    taken += take_in(database, batch);
    batch.clear();
    line.show(fmt::format("{} results taken in", taken));
  };
  for (const RunRow& run : database.runs(study, storage::Database::Configs::left_out)) {
    if (!may_take_in(run)) continue;
    if (auto found = find_result(run.run_id, files)) batch.push_back(std::move(*found));
    if (batch.size() >= kBatch) flush();
  }
  flush();
  line.clear();
  return taken;
}

}  // namespace hyscale::scheduler
