#pragma once

#include <string>
#include <vector>

namespace hyscale::parallel {

/// Decides on, sets and reports the OpenMP threads of this process.
struct ThreadPlan {
  int threads = 1;
  std::string how;  // "2 threads, not pinned"
};

/// `asked` threads, else OMP_NUM_THREADS, else the allowed cores shared between `local_ranks` (all of them, when the
/// launcher bound each rank to cores of its own). Threads are pinned one to a core when `pin` names the cores, or when
/// the launcher gave this process exactly as many cores as it has threads; otherwise the operating system places them,
/// since several workers side by side would all pick the same cores. Throws ConfigError when a core of `pin` is not
/// allowed or there are fewer cores than threads.
ThreadPlan set_threads(int asked, int local_ranks, const std::vector<int>& pin);

}  // namespace hyscale::parallel
