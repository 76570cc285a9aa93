#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/data/mixture.h"
#include "core/mixers/attention/rope_spec.h"
#include "parallel/device.h"
#include "parallel/run_identity.h"
#include "storage/files/checkpoint.h"
#include "storage/files/run_directory.h"

namespace hyscale::parallel {

/// Which model of which run, and on what: what commands that use a trained model are told.
struct TrainedRunOptions {
  std::string run;                      // run directory
  std::string store;                    // where corpora are; "": see spec::store_directory
  std::optional<int64_t> checkpoint;    // step; nullopt: the last one
  std::string device = "auto";          // auto | cpu | cuda
  std::string rope_extension = "none";  // spec::parse_rope_extension
};

/// A run that was trained, opened to be used. Nothing of it changes.
struct TrainedRun {
  storage::RunDirectory run;
  WorkDevice device;
  RunIdentity identity;
  std::optional<data::Mixture> data;
  spec::RopeExtension extension;
  std::unique_ptr<storage::CheckpointReader> checkpoint;  // rank 0 only
};

/// Throws ConfigError (no run, no such checkpoint, another corpus, nothing for the extension to act on), DamagedFile
/// and what opening the corpora throws. The CPU computes in fp32 also what was trained in less.
TrainedRun open_trained_run(const TrainedRunOptions& options, int ranks, bool reads_checkpoint);

}  // namespace hyscale::parallel
