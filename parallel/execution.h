#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "parallel/run_identity.h"
#include "parallel/train_options.h"
#include "storage/files/run_directory.h"

namespace hyscale::parallel {

/// exec.json: how and where an attempt computes (docs/formats.md).
struct Execution {
  std::string run_id;
  std::string canonical;                          // the run's canonical form: says what differs when the id does
  std::map<std::string, std::string> settings;    // device, dp, tp, micro_batch, threads, deterministic, branches
  std::map<std::string, std::string> provenance;  // commit, build, host, cpu, mpi, seeds, …
};
void write_execution(const storage::RunDirectory& run, const Execution& execution);
/// nullopt when there is none; throws DamagedFile when it is none.
std::optional<Execution> read_execution(const storage::RunDirectory& run);

/// Names of what changes the last bits of a result, when it differs: "threads is 2, was 4".
std::vector<std::string> inexact_differences(const Execution& before, const Execution& now);

std::string cpu_model();  // "AMD EPYC 9B14"

}  // namespace hyscale::parallel
