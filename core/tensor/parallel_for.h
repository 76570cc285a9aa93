#pragma once

#include <algorithm>
#include <cstdint>

namespace hyscale {

/// Runs fn(begin, end) over [0, count) on the OpenMP threads of this process. The split depends on `grain` alone, never
/// on the number of threads, so what each call computes, and in which order it sums, is the same on any machine.
template <class F>
void parallel_for(int64_t count, int64_t grain, F&& fn) {
  const int64_t blocks = (count + grain - 1) / grain;
#pragma omp parallel for schedule(static) if (blocks > 1)
  for (int64_t b = 0; b < blocks; ++b) fn(b * grain, std::min(count, (b + 1) * grain));
}

}  // namespace hyscale
