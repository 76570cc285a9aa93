#pragma once

#include <string>

#include "storage/db/database.h"

namespace hyscale::scheduler {

/// What became of a run directory that somebody else's store, or nobody's, holds.
enum class Adoption {
  taken,      // copied into the store; the database knows its result
  known,      // the store has it already
  unfinished  // no final record and not diverged: left where it is
};

/// Makes a finished run (a whole run.h5, or a diverged one) this store's: its directory is copied to STORE/runs/<id>
/// under a temporary name, then renamed, then the database takes the result in. A directory of an unfinished attempt
/// at the same run is kept below STORE/replaced. The copy may be interrupted and repeated.
/// Throws DamagedFile when the record does not validate, ConfigError when this store is training the run right now.
Adoption adopt_run(storage::Database& database, const std::string& directory);

struct AdoptedStudy {
  std::string name;
  int runs = 0, taken = 0, known = 0;
};
/// Makes a study of another store known under `name`, with all its finished runs. Nobody carries on with the rest until
/// `study submit` or `study retry` asks for it.
/// Throws ConfigError when this store has another study of that name.
AdoptedStudy adopt_study(storage::Database& database, const std::string& other_store, const std::string& study,
                         const std::string& name);

/// Makes this host the one that drives a study of this store.
/// Throws ConfigError when it is being driven elsewhere, or when runs of it are alive on another machine.
void take_over(storage::Database& database, const std::string& study);

}  // namespace hyscale::scheduler
