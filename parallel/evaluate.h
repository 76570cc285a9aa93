#pragma once

#include <cstdint>
#include <string>

#include "parallel/trained_run.h"

namespace hyscale::parallel {

/// What `hybrid-worker eval` is told. Nothing here belongs to the run: its id and its files stay as they are.
struct EvalOptions {
  TrainedRunOptions trained;
  int64_t context = 0;      // tokens of a window; 0: as trained
  int64_t micro_batch = 0;  // windows of one forward pass per rank; 0: about 16K tokens
  int tp = 1;               // ranks that hold one model together
  int threads = 0;          // 0: allowed cores / ranks on this host
  bool json = false;
};

/// Restores a checkpoint of the run, computes the loss over the validation split of its corpora and prints it on rank
/// 0's standard output. Ranks share the windows. Throws ConfigError (no run, no such checkpoint, another corpus,
/// nothing for the extension to act on), DamagedFile and what opening the corpora throws.
void evaluate(const EvalOptions& options);

}  // namespace hyscale::parallel
