#include "parallel/threads.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <omp.h>
#include <sched.h>

#include "core/base/error.h"

namespace hyscale::parallel {
namespace {

std::vector<int> allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return {0};
  for (int core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  return cores;
}

bool bound_by_launcher() {
  const char* slurm = std::getenv("SLURM_CPU_BIND_TYPE");
  return std::getenv("OMPI_MCA_orte_bound_at_launch") != nullptr ||
         (slurm != nullptr && std::string(slurm).starts_with("mask_cpu"));
}

void pin_threads(const std::vector<int>& cores) {
#pragma omp parallel num_threads(static_cast <int>(cores.size()))
  {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<size_t>(cores[static_cast<size_t>(omp_get_thread_num())]), &set);
    ::sched_setaffinity(0, sizeof(set), &set);
  }
}

void check_pins(const std::vector<int>& pin, const std::vector<int>& allowed, int threads) {
  Problems problems;
  for (const int core : pin)
    if (std::find(allowed.begin(), allowed.end(), core) == allowed.end())
      problems.add({.what = fmt::format("--pin {}: this process may not run on that core", core),
                    .remedy = fmt::format("choose from {}", fmt::join(allowed, ","))});
  if (static_cast<int>(pin.size()) < threads)
    problems.add({.what = fmt::format("--pin names {} cores for {} threads", pin.size(), threads),
                  .remedy = "name one core for each thread, or set --threads"});
  problems.throw_if_any();
}

}  // namespace

ThreadPlan set_threads(int asked, int local_ranks, const std::vector<int>& pin) {
  const std::vector<int> allowed = allowed_cores();
  const bool bound = bound_by_launcher();
  const int share = std::max(1, static_cast<int>(allowed.size()) / (bound ? 1 : local_ranks));
  ThreadPlan plan;
  if (asked > 0)
    plan.threads = asked;
  else if (!pin.empty())
    plan.threads = static_cast<int>(pin.size());
  else
    plan.threads = std::getenv("OMP_NUM_THREADS") != nullptr ? omp_get_max_threads() : share;
  omp_set_num_threads(plan.threads);
  std::vector<int> cores = pin;
  if (!pin.empty()) check_pins(pin, allowed, plan.threads);
  if (pin.empty() && bound && static_cast<int>(allowed.size()) == plan.threads) cores = allowed;
  if (cores.empty()) {
    plan.how = fmt::format("{} threads, not pinned", plan.threads);
    return plan;
  }
  cores.resize(static_cast<size_t>(plan.threads));
  pin_threads(cores);
  plan.how = fmt::format("{} threads on cores {}", plan.threads, fmt::join(cores, ","));
  return plan;
}

}  // namespace hyscale::parallel
