#include "scheduler/background.h"

#include "cluster/spawn.h"
#include "core/base/files.h"
#include "core/base/process.h"
#include "scheduler/driver.h"
#include "scheduler/registration.h"

namespace hyscale::scheduler {

std::string driver_log(const std::string& store, const std::string& study) {
  return study_directory(store, study) + "/driver.log";
}

bool ensure_driver(const storage::Database& database, const std::string& study) {
  if (database.lease_holder(lease_name(study))) return true;
  const auto row = database.study(study);
  if (!row || settings_from_json(row->settings).host != host_name()) return false;
  bool left = false;
  for (const auto& run : database.runs(study, storage::Database::Configs::left_out))
    left = left || !is_final(state_of(run));
  if (!left) return true;
  make_writable_directory(study_directory(database.store(), study));
  cluster::spawn_detached({program_path(), "--store", database.store(), "drive", study},
                          driver_log(database.store(), study));
  return true;
}

}  // namespace hyscale::scheduler
