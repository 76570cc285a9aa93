#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "storage/db/database.h"
#include "studies/plan.h"

namespace hyscale::scheduler {

/// How fast a run with the study's resources trains, as it was measured.
struct Speed {
  std::string how;     // "18 finished runs", "a probe of 24 shapes"; "": nothing is known
  std::string device;  // name of the GPU or CPU
  std::vector<std::pair<double, double>> rates = {};  // executed FLOPs of a token, executed FLOP/s of a run; ascending
  /// For a model of so many executed FLOPs a token: the median where it was measured (to 2 %), between measurements
  /// along their line, beyond them that of the nearest. 0: nothing is known.
  double at(double flops_per_token) const;
};

/// From finished runs of the whole store that had the same kind of device, ranks and threads as this study will have.
Speed speed_of_finished_runs(const storage::Database& database, const studies::Resources& resources);

/// From a few steps of each shape that has a run which is not done, with the worker's own benchmark, on one rank of
/// this machine; with several ranks each is taken to be as fast as that one. Throws ConfigError when the worker
/// refuses.
Speed probe(const studies::Plan& plan, const studies::Resources& resources, const std::string& worker,
            const std::map<std::string, std::string>& done);

/// Of the runs that are not done, each once.
struct PlanCost {
  int64_t runs = 0;
  double flops = 0;                      // executed
  double hours = 0;                      // of runs one after another; 0: no speed is known
  double gpu_hours = 0, core_hours = 0;  // one of them, by the device
  double money = 0;                      // 0: not priced
  double disk_bytes = 0;                 // checkpoints that stay, and curves
  double memory_bytes = 0;               // the most that a rank takes
};
PlanCost cost_of(const studies::Plan& plan, const studies::Resources& resources, const Speed& speed,
                 const std::map<std::string, std::string>& done);

/// Whether the study's runs will train on GPUs.
bool on_gpu(const studies::Resources& resources);

}  // namespace hyscale::scheduler
