#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cluster/backend.h"
#include "cluster/slurm_text.h"

namespace hyscale::cluster {

/// A job array to be submitted. Task k of one that depends on another starts once task k of that one has succeeded, so
/// that each branch waits for its own trunk alone.
struct ArrayPlan {
  JobShape shape = {};
  std::map<int64_t, std::vector<size_t>> tasks = {};  // by index: positions in the list of jobs
  int after_plan = -1;                                // position of the array it depends on, when that is new too
  int64_t after_job = 0;                              // its Slurm id, when it was there before; 0: none
  std::vector<int> behind = {};  // positions of arrays that must have ended before: the ceiling leaves no room beside
  bool behind_earlier = false;   // so must every array that was there before
  int64_t throttle = 0;          // tasks at the same time; 0: all
};

struct ArrayLimits {
  int64_t max_array_size = 1001;  // indices are smaller
  int64_t jobs_per_task = 1;
  int64_t ceiling = 0;  // tasks at the same time over all arrays; 0: none
  int64_t taken = 0;    // tasks that arrays submitted before may still run at the same time
};

struct ArrayPlans {
  std::vector<ArrayPlan> arrays = {};      // one that another depends on comes before it
  std::vector<size_t> without_trunk = {};  // jobs that name a job which is neither new nor known: not to be submitted
};

/// Groups jobs into arrays: by shape; by the array their trunk is in, the trunk's own index being theirs; split at
/// the largest index. `known` has the tasks of jobs that were submitted before, by directory.
ArrayPlans plan_arrays(const std::vector<Job>& jobs, const std::map<std::string, SlurmTask>& known,
                       const ArrayLimits& limits);

/// Shares among the arrays, by their size, what earlier ones leave of the ceiling; where there are more arrays than
/// that, some wait for others. A throttle stays for an array's life: when less than half of the ceiling is left, and
/// not enough for all tasks at once, the arrays rather wait until the earlier ones have ended and then have all of it.
void set_throttles(std::vector<ArrayPlan>& arrays, int64_t ceiling, int64_t taken = 0);

}  // namespace hyscale::cluster
