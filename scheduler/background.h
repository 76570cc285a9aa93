#pragma once

#include <string>

#include "storage/db/database.h"

namespace hyscale::scheduler {

/// Starts a detached driver for the study when it has work left and nobody drives it. The study must have been
/// submitted on this host. True: one drives it now, or nothing is left to do.
bool ensure_driver(const storage::Database& database, const std::string& study);

/// Where detached drivers leave what they have to say.
std::string driver_log(const std::string& store, const std::string& study);

/// Shows the study until all its runs are final, on a terminal as one line, otherwise as a line a run; starts a driver
/// again whenever it is gone. Returns the exit status: 0 when every run is done, 130 when Ctrl-C ended the watching
/// (the study goes on).
int watch(const std::string& store, const std::string& study);

}  // namespace hyscale::scheduler
