#pragma once

#include "core/base/exit_code.h"
#include "parallel/train_options.h"

namespace hyscale::parallel {

/// `hybrid-worker train`: the whole life of an attempt, on every rank. Returns done, requeue or diverged. An error is
/// reported by one rank and ends every rank with its status (CommandEnded); in training itself a lone worker throws it.
/// Whatever the ending, status.json says it.
ExitCode train(const TrainOptions& options);

}  // namespace hyscale::parallel
