#pragma once

#include <algorithm>
#include <cstdint>
#include <omp.h>

namespace hyscale {

/// Runs fn(begin, end) over [0, count) on the OpenMP threads of this process. The split depends on `grain` alone, never
/// on the number of threads, so what each call computes, and in which order it sums, is the same on any machine.
template <class F>
void parallel_for(int64_t count, int64_t grain, F&& fn) {
  const int64_t blocks = (count + grain - 1) / grain;
  const auto run = [&](int64_t b) { fn(b * grain, std::min(count, (b + 1) * grain)); };
  // the OpenMP runtime takes a team of one from the heap
  if (blocks <= 1 || omp_get_max_threads() == 1 || omp_in_parallel() != 0) {
    for (int64_t b = 0; b < blocks; ++b) run(b);
    return;
  }
#pragma omp parallel for schedule(static)
  for (int64_t b = 0; b < blocks; ++b) run(b);
}

}  // namespace hyscale
