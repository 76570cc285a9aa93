#pragma once

#include <omp.h>

namespace hyscale::tests {

/// OpenMP threads of this process while it lives.
class ThreadCount {
 public:
  explicit ThreadCount(int threads) : kept_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ~ThreadCount() { omp_set_num_threads(kept_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int kept_;
};

}  // namespace hyscale::tests
