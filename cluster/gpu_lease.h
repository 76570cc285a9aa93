#pragma once

#include <string>
#include <vector>

namespace hyscale::cluster {

/// The GPUs of this machine that a program started here may use, each by a name that CUDA_VISIBLE_DEVICES takes: what
/// that variable names already, else the UUIDs that `nvidia-smi -L` lists; none where there is no such program.
std::vector<std::string> find_gpus();

/// The UUIDs in the output of `nvidia-smi -L`.
std::vector<std::string> parse_gpu_list(const std::string& text);

/// GPUs that one run needs of those that a study may use.
struct GpuRequest {
  int count = 1;                     // for itself, on as many different GPUs
  int share = 1;                     // runs that may use a GPU at the same time; 1: alone
  std::vector<std::string> of = {};  // names, as of find_gpus
};

/// The arguments in front of a job's own that make it wait for its GPUs: "hold-gpus" and what hold_gpus reads.
std::vector<std::string> holding_gpus(const GpuRequest& request);

/// The program behind those arguments: waits until the GPUs are free, names them in CUDA_VISIBLE_DEVICES and becomes
/// the job. A GPU is leased by locks (flock) below $HYSCALE_GPU_LEASES, else /tmp/hyscale-gpus-<uid>, which the job
/// inherits and which are free again when its last process is gone, whatever else was killed. They hold between all
/// studies and stores of one user. Returns only when something is wrong (2: bad arguments, 127: no such program).
int hold_gpus(const std::vector<std::string>& arguments);

}  // namespace hyscale::cluster
