#include <cstdio>
#include <gmock/gmock.h>

#include "core/tensor/device_context.h"

/// The main function of tests that need a GPU: where there is none, ctest shows them as skipped.
int main(int argc, char** argv) {
  constexpr int kSkipped = 77;
  testing::InitGoogleMock(&argc, argv);
  const int failed = RUN_ALL_TESTS();
  if (failed != 0 || hyscale::cuda_devices() > 0) return failed;
  std::puts("skipped: no GPU that CUDA can use is here");
  return kSkipped;
}
