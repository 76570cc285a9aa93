#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cluster/command.h"
#include "cluster/finding.h"
#include "cluster/store_probe.h"

namespace hyscale::cluster {

/// What the runs ask of the place.
struct Needs {
  std::string worker = {};                    // path of hybrid-worker
  std::vector<std::string> container = {};    // in front of the worker
  std::vector<std::string> mpi = {"mpirun"};  // starts ranks; "-n RANKS" follows
  std::string store = {};
  int64_t ranks = 0;  // of a run; 0: not known, then two are tried
  bool gpus = false;  // runs cannot do without
  int64_t gpus_per_run = 0;
  bool slurm = false;     // they go to a Slurm cluster
  bool inside = false;    // and this is one of its jobs: what is not here is not elsewhere
  std::string held = {};  // inside: a file that another host has locked; "": none
  std::string partition = {};
  int64_t seconds = 0;  // time limit of a run; 0: none
  int64_t runs = 0;     // 0: not known
  uint64_t bytes = 0;   // that the runs will leave in the store; 0: not known
};

/// The seam to the machine: a test puts others in their place.
struct Site {
  RunCommand run = run_command;
  std::function<StoreProbe(const std::string& directory)> probe = probe_store;
};

/// Looks at everything; `show` is told what is looked at next. Starts programs and writes small files into the store,
/// changes nothing else.
std::vector<Finding> preflight(const Site& site, const Needs& needs,
                               const std::function<void(const std::string& check)>& show = {});

// The parts.
Finding check_worker(const Site& site, const Needs& needs);
Finding check_mpi(const Site& site, const Needs& needs);
Finding check_gpus(const Site& site, const Needs& needs);
Finding check_held_lock(const std::string& file);
std::vector<Finding> judge_store(const StoreProbe& probe, const Needs& needs);
std::vector<Finding> check_slurm(const Site& site, const Needs& needs);

/// Seconds of Slurm's "2-03:00:00", "30:00", "90" (minutes); 0 for "infinite" and what is no time.
int64_t slurm_seconds(const std::string& text);

}  // namespace hyscale::cluster
