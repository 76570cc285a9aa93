#include "scheduler/background.h"

#include <algorithm>

#include "cluster/spawn.h"
#include "core/base/files.h"
#include "core/base/process.h"
#include "scheduler/drive.h"
#include "scheduler/driver.h"
#include "scheduler/registration.h"

namespace hyscale::scheduler {

std::string driver_log(const std::string& store, const std::string& study) {
  return study_directory(store, study) + "/driver.log";
}

Driven ensure_driver(const storage::Database& database, const std::string& study) {
  if (database.lease_holder(lease_name(study))) return Driven::by_another;
  const auto row = database.study(study);
  if (!row) return Driven::no;
  const Settings settings = settings_from_json(row->settings);
  if (settings.on != "slurm" && settings.host != host_name()) return Driven::no;
  if (!database.has_unfinished(study)) return Driven::here;
  if (settings.waits) {
    const auto runs = database.runs(study, storage::Database::Configs::left_out);
    if (std::none_of(runs.begin(), runs.end(), [](const auto& run) { return is_active(state_of(run)); }))
      return Driven::no;
  }
  if (settings.on == "slurm") {
    try_to_reconcile(database.store(), study);
    return Driven::here;
  }
  make_writable_directory(study_directory(database.store(), study));
  cluster::spawn_detached({program_path(), "--store", database.store(), "drive", study},
                          driver_log(database.store(), study));
  return Driven::by_another;
}

}  // namespace hyscale::scheduler
