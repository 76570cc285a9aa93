#pragma once

#include <string>
#include <vector>

#include "studies/study_spec.h"

namespace hyscale::scheduler {

/// How the runs of a study are executed; nothing of it enters a run id. Kept with the study as JSON.
struct Settings {
  studies::Resources resources;
  studies::SlurmSpec slurm = {};
  std::string on = "local";            // local | slurm
  std::vector<std::string> gpus = {};  // local: that runs take by lease; empty: no leases
  int slots = 0;                       // runs at the same time; at least 1 once resolved
  bool waits = false;                  // made anew or taken over: nothing is launched before a person asks for more
  std::string host;  // local: that the study was submitted on: only there may a later command carry on by itself
};

/// Fills slots and threads in: `slots` as given (0: as the spec says, else the places on `gpus`, else cores / threads
/// of a run), then threads. `gpus` are those of this machine that runs may take (cluster/gpu_lease.h); empty: runs take
/// none, or find their own. Throws ConfigError when a run asks for more GPUs than there are.
Settings resolve(studies::Resources resources, int slots, int cores, std::vector<std::string> gpus = {});
/// Whether runs of such resources are given GPUs by lease.
bool wants_gpus(const studies::Resources& resources);
/// The same for Slurm, where the cluster counts the slots; `slots` above 0 replaces the spec's ceiling on runs.
/// Threads: one a rank unless the spec says otherwise. Throws ConfigError when the spec asks for what Slurm cannot do.
Settings resolve_for_slurm(studies::Resources resources, studies::SlurmSpec slurm, int slots);

std::string to_json(const Settings& settings);
Settings settings_from_json(const std::string& text);  // throws DamagedFile

}  // namespace hyscale::scheduler
