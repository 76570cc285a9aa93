#pragma once

#include <optional>

#include "core/base/clock.h"
#include "core/data/mixture.h"
#include "parallel/device.h"
#include "parallel/execution.h"
#include "parallel/mesh.h"
#include "parallel/mpi_collective.h"
#include "parallel/open_run.h"
#include "parallel/restore.h"
#include "parallel/run_identity.h"
#include "parallel/stop_request.h"
#include "parallel/train_options.h"
#include "parallel/trainer.h"

namespace hyscale::parallel {

/// Everything one attempt holds, in the order in which it comes to be.
struct Attempt {
  Attempt(const TrainOptions& given, World& all);
  const TrainOptions& options;
  World& world;
  const Clock& clock = Clock::system();
  StopRequest stop;  // listens from here on
  RunIdentity identity;
  WorkDevice device;
  std::optional<data::Mixture> data;
  Mesh mesh;
  std::optional<Groups> groups, writer_groups, reducer_groups;
  Execution execution;
  TrainerPlan plan;
  std::optional<OpenRun> open;  // rank 0 only
  StartPoint start;             // checkpoint and curve on rank 0 only
  bool leads() const { return world.ranks().rank() == 0; }
};

/// What each rank finds out alone: config, corpus, mesh, threads; not the groups. Throws ConfigError with what does not
/// fit.
void prepare(Attempt& attempt);

/// What rank 0 does to the directory before training; the other ranks do nothing. Throws what open_run and find_start
/// throw.
void open_directory(Attempt& attempt);

}  // namespace hyscale::parallel
