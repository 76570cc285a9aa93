#pragma once

#include "core/base/exit_code.h"
#include "parallel/train_options.h"

namespace hyscale::parallel {

/// `hybrid-worker train`: the whole life of an attempt, on every rank. Returns done or requeue; throws Error otherwise
/// (on one rank only, the others throw CommandEnded with the same status). Whatever the ending, status.json says it.
ExitCode train(const TrainOptions& options);

}  // namespace hyscale::parallel
