#pragma once

#include <string>

#include "storage/db/database.h"

namespace hyscale::scheduler {

/// Local: starts a detached driver for the study when it has work left and nobody drives it; the study must have been
/// submitted on this host. Slurm: one round of reconciliation, here and now. `no`: it was submitted on another host, or
/// waits for a person.
enum class Driven { no, by_another, here };
Driven ensure_driver(const storage::Database& database, const std::string& study);

/// Where detached drivers leave what they have to say.
std::string driver_log(const std::string& store, const std::string& study);

}  // namespace hyscale::scheduler
