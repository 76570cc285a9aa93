#pragma once

#include <memory>

#include "core/base/files.h"
#include "parallel/run_identity.h"
#include "parallel/train_options.h"
#include "storage/files/run_directory.h"

namespace hyscale::parallel {

/// A run directory that this worker alone may write, until the object ends.
struct OpenRun {
  storage::RunDirectory directory;
  std::unique_ptr<FileLock> lock;
  bool resumed = false;
  bool already_done = false;  // run.h5 is there and whole
};

/// The rules of --out and --resume. A fresh directory gets run.yaml. Throws
///   ConfigError    a run is there and --resume was not given; --resume without run.yaml; another run's directory
///   IoError        another worker holds the directory; the directory cannot be written
///   DivergedError  the run that is there has diverged: it would again
OpenRun open_run(const TrainOptions& options, const RunIdentity& identity);

}  // namespace hyscale::parallel
