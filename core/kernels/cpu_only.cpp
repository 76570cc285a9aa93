#include "core/kernels/cpu_only.h"

#include <fmt/format.h>

#include "core/base/error.h"

namespace hyscale::kernels {

void cpu_only(const char* kernel, const Exec& exec) {
  if (exec.device == Device::cpu) return;
  throw ConfigError(
      {.what = fmt::format("kernel {} has no CUDA twin in this build", kernel), .remedy = "run with --device cpu"});
}

}  // namespace hyscale::kernels
