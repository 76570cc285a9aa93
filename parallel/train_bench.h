#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/spec/run_config.h"
#include "parallel/device.h"

namespace hyscale::parallel {

/// How a training step is timed. One step is a whole one: every micro-batch forward and backward, clipping, AdamW.
struct TrainBenchPlan {
  int64_t batch_sequences = 1;  // of one step
  int64_t micro_batch = 1;      // sequences of one forward pass
  int steps = 10;               // timed
  int warmup = 2;               // before them, not timed
};

struct TrainBench {
  int64_t parameters = 0;            // non-embedding
  int64_t tokens = 0;                // of one step
  double flops = 0;                  // with_head, of one step
  std::vector<double> step_seconds;  // in the order they were measured
  std::vector<double>
      gemm_rates;  // FLOP/s, one measurement after each step: the library's or ours, whichever is faster
  std::vector<double> own_gemm_rates;  // ours
  int64_t activation_bytes = 0;        // reserved for one micro-batch
  int64_t state_bytes = 0;             // weights, gradients and AdamW's moments
  int64_t peak_memory = 0;             // of the process, bytes

  double seconds() const;  // median of a step
  double tokens_per_second() const { return static_cast<double>(tokens) / seconds(); }
  double rate() const { return flops / seconds(); }  // with_head FLOP/s
  double gemm_rate() const;                          // median, FLOP/s
  double share() const { return rate() / gemm_rate(); }
};

/// Trains on random tokens (with data.cross_document: false in documents of a quarter of the context on average), on
/// the OpenMP threads of this process. After each step it measures what this machine gives to plain matrix products
/// (GemmYardstick), so that both figures see the same clocks and the same neighbours. `done(step)` is called after each
/// step, warm-up included.
TrainBench bench_train(const spec::RunConfig& config, const TrainBenchPlan& plan, const WorkDevice& device,
                       const std::function<void(int)>& done);

/// The entry below which a share `p` of `values` lies (nearest rank); `values` not empty, 0 ≤ p ≤ 1.
double percentile(std::vector<double> values, double p);

}  // namespace hyscale::parallel
