#pragma once

#include <string>

#include "storage/db/database.h"

namespace hyscale::scheduler {

/// Starts a detached driver for the study when it has work left and nobody drives it. The study must have been
/// submitted on this host. True: one drives it now, or nothing is left to do.
bool ensure_driver(const storage::Database& database, const std::string& study);

/// Where detached drivers leave what they have to say.
std::string driver_log(const std::string& store, const std::string& study);

}  // namespace hyscale::scheduler
