#include "core/tensor/device_context.h"

namespace hyscale {

int cuda_devices() { return 0; }

std::unique_ptr<DeviceContext> open_cuda(const CudaOptions&) { refuse_without_cuda(); }

}  // namespace hyscale
