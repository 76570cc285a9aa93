#include "scheduler/drive.h"

#include <filesystem>
#include <future>
#include <memory>

#include "cluster/local.h"
#include "cluster/slurm.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/process.h"
#include "scheduler/driver.h"
#include "scheduler/worker_job.h"

namespace hyscale::scheduler {
namespace {

using Slurm = std::unique_ptr<cluster::SlurmBackend>;

/// Asks Slurm, which takes about as long as to open a large database and check it: both are done at the same time.
std::future<Slurm> ask_slurm(const std::string& store, const std::string& study, const Settings& settings) {
  return std::async(std::launch::async,
                    [=] { return cluster::SlurmBackend::asked(slurm_options(store, study, settings)); });
}

/// Everything a driver works with.
struct Tools {
  Tools(const std::string& store, const std::string& study)
      : settings(settings_of(storage::Database(store, storage::Database::Mode::read), study)),
        asked(settings.on == "slurm" ? ask_slurm(store, study, settings) : std::future<Slurm>()),
        database(store, storage::Database::Mode::write),
        files(store),
        worker(find_worker()),
        local({program_path(), "keep"}) {
    if (asked.valid()) slurm = asked.get();
  }
  Driver driver(const std::string& study) {
    const MakeJob make_job = [this](const Attempt& attempt) {
      return worker_job(database.store(), worker, settings, attempt);
    };
    cluster::Backend& backend = slurm ? static_cast<cluster::Backend&>(*slurm) : local;
    return {{.database = database,
             .backend = backend,
             .files = files,
             .make_job = make_job,
             .launches = !settings.waits,
             .other = slurm ? &local : nullptr},
            study,
            settings.slots};
  }

  Settings settings;
  std::future<Slurm> asked;
  storage::Database database;
  StoreRunFiles files;
  std::string worker;
  cluster::LocalBackend local;
  Slurm slurm = {};
};

/// A report job that cannot be had is no reason to stop: the command writes the same.
void put_report_behind(cluster::SlurmBackend& slurm, const std::string& store, const std::string& study,
                       const Settings& settings) {
  const auto analyze = std::filesystem::path(program_path()).parent_path() / "analyze";
  try {
    if (!std::filesystem::exists(analyze))
      throw ConfigError({.what = "there is no " + analyze.string(), .remedy = "build analyze"});
    slurm.follow_up({.argv = {analyze.string(), "report", study, "--store", store, "--from-directories"},
                     .partition = settings.slurm.report_partition});
  } catch (const Error& error) {
    log::warn(std::string("the report is left to analyze report: ") + error.what());
  }
}

}  // namespace

void withdraw_report(const std::string& store, const std::string& study, const Settings& settings) {
  if (settings.on == "slurm") cluster::SlurmBackend(slurm_options(store, study, settings)).withdraw_follow_up();
}

Settings settings_of(const storage::Database& database, const std::string& study) {
  const auto row = database.study(study);
  if (!row) throw ConfigError({.what = "there is no study " + study});
  return settings_from_json(row->settings);
}

std::unique_ptr<cluster::Backend> backend_for(const std::string& name, const std::string& store,
                                              const std::string& study, const Settings& settings) {
  if (name == "slurm") return std::make_unique<cluster::SlurmBackend>(slurm_options(store, study, settings));
  return std::make_unique<cluster::LocalBackend>(std::vector<std::string>{program_path(), "keep"});
}

void drive(const std::string& store, const std::string& study) {
  Tools tools(store, study);
  Driver driver = tools.driver(study);
  if (!driver.take_lease()) return;  // another one drives it
  while (driver.round()) driver.wait(1.0);
}

bool reconcile(const std::string& store, const std::string& study) {
  Tools tools(store, study);
  Driver driver = tools.driver(study);
  if (!driver.take_lease()) return false;
  try {
    const bool left = driver.round();
    if (tools.slurm && tools.settings.slurm.report && tools.slurm->is_follow_up_due())
      put_report_behind(*tools.slurm, store, study, tools.settings);
    if (left)
      driver.release();
    else if (tools.slurm)
      tools.slurm->clear_queue();
  } catch (...) {
    driver.release();
    throw;
  }
  return true;
}

void try_to_reconcile(const std::string& store, const std::string& study) {
  try {
    reconcile(store, study);
  } catch (const Error& error) {
    log::warn(error.what());
  }
}

}  // namespace hyscale::scheduler
