#pragma once

#include "core/base/error.h"
#include "core/tensor/exec.h"

namespace hyscale::kernels {

/// What a kernel on a part of a model does where it has no twin. Throws ConfigError on a GPU.
inline void expect_cpu(const Exec& exec) {
  if (exec.device == Device::cpu) return;
  throw ConfigError(Problem{.what = "a model is split over several ranks on the CPU only", .remedy = "leave --tp out"});
}

}  // namespace hyscale::kernels
