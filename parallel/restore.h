#pragma once

#include <memory>
#include <string>

#include "parallel/execution.h"
#include "parallel/open_run.h"
#include "parallel/run_identity.h"
#include "storage/files/checkpoint.h"
#include "storage/files/curve.h"

namespace hyscale::parallel {

/// Where an attempt begins.
struct StartPoint {
  int64_t step = 0;
  std::unique_ptr<storage::CheckpointReader> checkpoint;  // null: from the seed
  bool branch = false;                                    // the checkpoint is the trunk's
  storage::Curve curve;                                   // rows 1 … step and the evaluations so far
  int attempt = 1;
};

/// The trunk's checkpoint that --from names, with the trunk's rows. Throws ConfigError when it is missing, damaged, or
/// no trunk of this run. Touches nothing.
StartPoint branch_from(const std::string& from, const RunIdentity& identity);

/// The newest own checkpoint that is whole and whose rows are all there; else the trunk's checkpoint of --from; else
/// the seed. Damaged or unusable checkpoints are named in a warning. Throws ConfigError when --from does not fit.
StartPoint find_start(const OpenRun& open, const RunIdentity& identity, const std::string& from);

/// exec.json of the run directory that a checkpoint lies in.
storage::RunDirectory directory_of_checkpoint(const std::string& checkpoint);

}  // namespace hyscale::parallel
