#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/spec/run_config.h"
#include "parallel/device.h"
#include "parallel/gpu_sensors.h"
#include "parallel/gpu_yardstick.h"
#include "parallel/mesh.h"
#include "parallel/step_options.h"

namespace hyscale::parallel {

/// How a training step is timed. One step is a whole one: every micro-batch forward and backward, clipping, AdamW.
struct TrainBenchPlan {
  int64_t batch_sequences = 1;  // of one step
  int64_t micro_batch = 1;      // sequences of one forward pass
  StepOptions step;
  int steps = 10;              // timed
  int warmup = 2;              // before them, not timed
  double ceiling_seconds = 0;  // GPU: spent behind the steps on measuring what plain products sustain; 0: not asked
};

/// Only of a CPU. FLOP/s, one measurement after each step.
struct CpuBench {
  std::vector<double> gemm_rates;      // the library's or ours, whichever is faster
  std::vector<double> own_gemm_rates;  // ours
  double gemm_rate() const;            // median
};

/// Only of a GPU.
struct GpuBench {
  std::string name;
  DeviceFacts facts;
  std::optional<DensePeak> peak;  // none for an unknown GPU
  double sustained_rate = 0;      // FLOP/s of plain products; 0: not measured
  GpuSensors sensors;             // while steps run, behind the timed ones
  MemoryUse memory;
  double idle_share = 0;                  // of the timed steps: the time outside recorded work
  std::vector<OperationTime> operations;  // of one step more, enqueued operation by operation
};

/// Only of several ranks, the same on all of them.
struct RanksBench {
  Mesh mesh;
  double exposed = 0;        // share of the steps' time in which a rank waited for others; of the one that waited most
  double alone_seconds = 0;  // of a step of one rank that trains a whole model on its share of the batch, while all do
  double efficiency = 0;     // tokens/s of all together, as a share of what they reach each alone
};

struct TrainBench {
  int64_t parameters = 0;            // non-embedding
  int64_t tokens = 0;                // of one step
  double flops = 0;                  // with_head, of one step
  std::vector<double> step_seconds;  // in the order they were measured
  int64_t activation_bytes = 0;      // reserved for one micro-batch
  int64_t state_bytes = 0;           // weights, gradients and AdamW's moments
  int64_t peak_memory = 0;           // of the process, bytes
  std::optional<CpuBench> cpu;       // one of both
  std::optional<GpuBench> gpu;
  std::optional<RanksBench> ranks;

  double seconds() const;  // median of a step
  double tokens_per_second() const { return static_cast<double>(tokens) / seconds(); }
  double rate() const { return flops / seconds(); }  // with_head FLOP/s
};

/// Trains on random tokens (with data.cross_document: false in documents of a quarter of the context on average).
/// On the CPU, on the OpenMP threads of this process, it measures after each step what this machine gives to plain
/// matrix products (GemmYardstick), so that both figures see the same clocks and the same neighbours. On a GPU the
/// timed steps stand alone; sensors are read while further ones run, then one step is timed operation by operation.
/// `done(step)` is called after each step, warm-up included.
TrainBench bench_train(const spec::RunConfig& config, const TrainBenchPlan& plan, const WorkDevice& device,
                       const std::function<void(int)>& done);

/// On the CPU, under a mesh: first every rank by itself, with a whole model and its share of the batch, all at the same
/// time, then together. What the second is of the first is lost to communication and to unequal shares. `beside`: as
/// TrainState has it. Collective.
TrainBench bench_ranks(const spec::RunConfig& config, const TrainBenchPlan& plan, const WorkDevice& device,
                       const Mesh& mesh, const Groups& groups, const Groups* beside,
                       const std::function<void(int)>& done);

/// The entry below which a share `p` of `values` lies (nearest rank); `values` not empty, 0 ≤ p ≤ 1.
double percentile(std::vector<double> values, double p);

}  // namespace hyscale::parallel
