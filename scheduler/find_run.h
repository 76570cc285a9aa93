#pragma once

#include <string>

#include "storage/db/database.h"

namespace hyscale::scheduler {

/// The study's run whose id begins so. Throws ConfigError when there is none, or more than one.
storage::RunRow find_run(const storage::Database& database, const std::string& study, const std::string& prefix);

/// Throws ConfigError naming the studies there are.
void check_study(const storage::Database& database, const std::string& study);

}  // namespace hyscale::scheduler
