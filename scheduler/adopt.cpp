#include "scheduler/adopt.h"

#include <filesystem>
#include <fmt/format.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/process.h"
#include "core/spec/accounting.h"
#include "scheduler/driver.h"
#include "scheduler/find_run.h"
#include "scheduler/rebuild.h"
#include "scheduler/registration.h"
#include "scheduler/run_state.h"
#include "scheduler/settings.h"
#include "scheduler/standing.h"
#include "storage/files/run_directory.h"

namespace hyscale::scheduler {
namespace {

namespace fs = std::filesystem;
using storage::RunDirectory;
using storage::RunRow;

constexpr double kFreshSeconds = 120;  // a worker that has written its heartbeat since lives

/// The id of a run that has ended for good; "" otherwise.
std::string finished_id(const RunDirectory& run) {
  if (fs::exists(run.run_h5())) {
    const storage::RunRecord record = storage::read_run_record(run.run_h5());
    if (record.evals.empty()) throw DamagedFile({.what = run.run_h5() + " holds no evaluation"});
    return record.run_id;
  }
  const auto status = storage::read_status(run);
  return status && status->state == storage::WorkerState::diverged ? status->run_id : "";
}

/// All but what belongs to a running worker.
void copy_run(const std::string& from, const std::string& to) {
  fs::create_directories(to);
  for (const auto& entry : fs::recursive_directory_iterator(from)) {
    const fs::path target = to / entry.path().lexically_relative(from);
    const std::string name = entry.path().filename().string();
    if (entry.is_directory())
      fs::create_directories(target);
    else if (entry.is_regular_file() && name != "lock" && name != "stop" && name.find(".tmp-") == std::string::npos)
      fs::copy_file(entry.path(), target, fs::copy_options::overwrite_existing);
  }
}

/// The finished run's directory comes to stand at STORE/runs/<id>, whole or not at all.
void bring_in(const std::string& store, const RunDirectory& from, const std::string& run_id) {
  const RunDirectory to{store + "/runs/" + run_id};
  const std::string temporary = temporary_name(to.path);
  try {
    fs::remove_all(temporary);
    copy_run(from.path, temporary);
    if (fs::exists(to.path)) {
      const FileLock worker(to.lock(), FileLock::Wait::no);
      if (!worker.held())
        throw ConfigError({.what = "run " + short_id(run_id) + " is being trained in this store",
                           .remedy = "wait for it, or stop it with study cancel"});
      const std::string kept =
          fmt::format("{}/replaced/{}-{}", store, run_id, format_utc(Clock::system().unix_seconds()));
      make_writable_directory(store + "/replaced");
      fs::rename(to.path, kept);
    }
    fs::rename(temporary, to.path);
    sync_directory(store + "/runs");
  } catch (const fs::filesystem_error& error) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw IoError({.what = fmt::format("cannot copy {} to {}: {}", from.path, to.path, error.code().message()),
                   .remedy = "see that the store has space left and may be written; the same command then carries on"});
  }
}

/// What the database has to know of a run that no study has registered.
RunRow row_of(const RunDirectory& run, const std::string& run_id) {
  const spec::RunConfig config = spec::load_run_config(run.run_yaml());
  return {.run_id = run_id,
          .config = read_file(run.run_yaml()),
          .figures = figures_of(config, spec::account(config.model))};
}

void mark_diverged(storage::Database& database, const std::string& run_id) {
  database.transaction([&] {
    const RunRow now = *database.run(run_id);
    if (state_of(now) != RunState::planned) return;
    database.update_run(after(after(now, {.kind = Event::Kind::launched}),
                              {.kind = Event::Kind::ended, .exit_code = static_cast<int>(ExitCode::diverged)}));
  });
}

Registration read_renamed(const std::string& store, const std::string& study, const std::string& name) {
  Registration registration = read_archive(store, study);
  registration.study.name = name;
  for (auto& cell : registration.cells) cell.study = name;
  for (auto& cell : registration.rejected) cell.study = name;
  Settings settings = settings_from_json(registration.study.settings);
  settings.host.clear(), settings.waits = true;  // nobody carries on unasked
  registration.study.settings = to_json(settings);
  return registration;
}

}  // namespace

Adoption adopt_run(storage::Database& database, const std::string& directory) {
  const RunDirectory from{fs::absolute(directory).lexically_normal().string()};
  const std::string run_id = finished_id(from);
  if (run_id.empty()) return Adoption::unfinished;
  const RunDirectory here{database.store() + "/runs/" + run_id};
  const auto known = database.run(run_id);
  if (known && is_active(state_of(*known)))
    throw ConfigError({.what = "run " + short_id(run_id) + " is being trained in this store",
                       .remedy = "wait for it, or stop it with study cancel"});
  const bool same = fs::exists(here.path) && fs::equivalent(here.path, from.path);
  if (known && (known->state == "done" || known->state == "diverged")) return Adoption::known;
  if (!same) {
    make_writable_directory(database.store() + "/runs");
    const FileLock one_at_a_time(database.store() + "/adopt.lock",
                                 FileLock::Wait::yes);  // two may bring in the same run
    if (!fs::exists(here.run_h5())) bring_in(database.store(), from, run_id);
  }
  database.add_run(row_of(here, run_id));
  if (!take_result(database, run_id)) mark_diverged(database, run_id);
  return Adoption::taken;
}

AdoptedStudy adopt_study(storage::Database& database, const std::string& other_store, const std::string& study,
                         const std::string& name) {
  Registration registration = read_renamed(other_store, study, name);
  const std::string& store = database.store();
  make_writable_directory(study_directory(store, name));
  {
    const FileLock one_at_a_time(study_directory(store, name) + "/submit.lock", FileLock::Wait::yes);
    const auto before = database.study(name);
    if (before && before->spec_sha256 != registration.study.spec_sha256)
      throw ConfigError(
          {.what = "this store has another study called " + name, .remedy = "give the new one another name with --as"});
    if (before) registration.study.settings = before->settings;
    if (fs::exists(study_directory(store, name) + "/study.json"))
      registration = merged(std::move(registration), read_archive(store, name));
    write_archive(store, registration, read_file(study_directory(other_store, study) + "/plan.json"));
    add_to_database(database, registration);
  }
  AdoptedStudy adopted{.name = name};
  ProgressLine line;
  for (const RunRow& run : registration.runs) {
    ++adopted.runs;
    const std::string directory = other_store + "/runs/" + run.run_id;
    if (!fs::exists(directory)) continue;
    const Adoption adoption = adopt_run(database, directory);
    adopted.taken += adoption == Adoption::taken ? 1 : 0;
    adopted.known += adoption == Adoption::known ? 1 : 0;
    line.show(fmt::format("{}: run {} of {}", name, adopted.runs, registration.runs.size()));
  }
  line.clear();
  return adopted;
}

void take_over(storage::Database& database, const std::string& study) {
  check_study(database, study);
  const std::string here = host_name();
  if (const auto driver = database.lease_holder(lease_name(study)); driver && driver->host != here)
    throw ConfigError(
        {.what = fmt::format("study {} is driven by process {} on {}", study, driver->process.pid, driver->host),
         .remedy = "end that process there, or wait until half a minute after its host is gone"});
  const double now = Clock::system().unix_seconds();
  for (const RunRow& run : database.runs(study, storage::Database::Configs::left_out)) {
    if (!is_active(state_of(run)) || run.backend != "local" || run.job_host == here) continue;
    const auto status = StoreRunFiles(database.store()).status(run.run_id);
    if (status && now - status->heartbeat < kFreshSeconds)
      throw ConfigError({.what = fmt::format("run {} is being trained on {}", short_id(run.run_id), run.job_host),
                         .remedy = "stop it there with study cancel, then adopt the study and retry its runs here"});
  }
  storage::StudyRow row = *database.study(study);
  Settings settings = settings_from_json(row.settings);
  settings.host = settings.on == "slurm" ? "" : here;
  settings.waits = false;
  row.settings = to_json(settings);
  database.put_study(row);
}

}  // namespace hyscale::scheduler
