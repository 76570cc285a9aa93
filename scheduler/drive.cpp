#include "scheduler/drive.h"

#include "cluster/local.h"
#include "cluster/slurm.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/process.h"
#include "scheduler/driver.h"
#include "scheduler/worker_job.h"

namespace hyscale::scheduler {
namespace {

/// Everything a driver works with.
struct Tools {
  Tools(const std::string& store, const std::string& study)
      : database(store, storage::Database::Mode::write),
        settings(settings_of(database, study)),
        files(store),
        worker(find_worker()),
        local({program_path(), "keep"}) {
    if (settings.on == "slurm") slurm = backend_for("slurm", store, study, settings);
  }
  Driver driver(const std::string& study) {
    const MakeJob make_job = [this](const Attempt& attempt) {
      return worker_job(database.store(), worker, settings, attempt);
    };
    cluster::Backend& backend = slurm ? *slurm : local;
    return {{.database = database,
             .backend = backend,
             .files = files,
             .make_job = make_job,
             .launches = !settings.waits,
             .other = slurm ? &local : nullptr},
            study,
            settings.slots};
  }

  storage::Database database;
  Settings settings;
  StoreRunFiles files;
  std::string worker;
  cluster::LocalBackend local;
  std::unique_ptr<cluster::Backend> slurm = {};
};

}  // namespace

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
    if (driver.round()) driver.release();
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
