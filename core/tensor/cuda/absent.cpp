#include "core/base/error.h"
#include "core/tensor/device_context.h"

namespace hyscale {

int cuda_devices() { return 0; }

std::unique_ptr<DeviceContext> open_cuda(const CudaOptions&) {
  throw ConfigError(
      Problem{.what = "this build has no CUDA back end", .remedy = "build with cmake --preset cuda where nvcc is"});
}

}  // namespace hyscale
