#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "core/spec/run_config.h"
#include "parallel/step_options.h"

namespace hyscale::parallel {

/// What `hybrid-worker train` is told beside the run config: nothing here changes what a run is (its id), only where
/// and how it is computed.
struct TrainOptions {
  std::string run_file;                // RUN.yaml
  std::string out;                     // run directory
  std::string store;                   // where corpora are; "": see spec::store_directory
  std::vector<std::string> overrides;  // "a.b=c"
  bool resume = false;
  std::string from;  // checkpoint of a trunk: this run is a branch

  // these change the last bits of a result: a resume or a branch takes device, tp and micro-batch over unless they are
  // given, and says what else is different
  std::string device = "auto";  // auto | cpu | cuda
  int tp = 0;                   // ranks that hold one model; 0: 1
  int64_t micro_batch = 0;      // sequences of one forward pass per rank; 0: about 16K tokens
  int threads = 0;              // 0: allowed cores / ranks on this host
  bool deterministic = true;    // the CPU back end has no other way
  StepOptions step;             // its recompute alone changes no bit

  // these do not
  bool overlap = true;                  // several data-parallel ranks: sum gradients while the backward pass goes on
  std::vector<int> pin;                 // cores, one for each thread
  double time_limit = 0;                // seconds since the start of the process; 0: none
  double hang_limit = 600;              // seconds that a rank waits for others before it ends all; 0: any time
  int64_t checkpoint_every = 0;         // steps; 0: every ten minutes
  std::set<int64_t> checkpoint_tokens;  // branch points, kept for ever
  int keep = 2;                         // newest checkpoints beside those
  int64_t log_every = 0;                // steps; 0: a hundredth of the run, 10 at least
  int64_t eval_every = 0;               // steps; 0: at the end only
  double max_epochs = 4;                // passes over any corpus that are let by; 0: any number
  double peak_gflops = 0;               // of all ranks, for MFU; 0: GFLOP/s are printed instead
  bool quiet = false;
};

}  // namespace hyscale::parallel
