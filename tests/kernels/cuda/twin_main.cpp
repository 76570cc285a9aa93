#include <cstdio>
#include <gmock/gmock.h>

#include "core/tensor/device_context.h"
#include "tests/kernels/cuda/twin.h"

static constexpr int kSkipped = 77;  // what ctest shows as skipped

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  const int failed = RUN_ALL_TESTS();
  hyscale::tests::close_gpu();
  if (failed != 0 || hyscale::cuda_devices() > 0) return failed;
  std::puts("skipped: no GPU that CUDA can use is here");
  return kSkipped;
}
