#pragma once

#include "core/tensor/exec.h"

namespace hyscale::kernels {

/// Throws Error naming `kernel` when exec asks for a device this kernel has no twin for.
void cpu_only(const char* kernel, const Exec& exec);

}  // namespace hyscale::kernels
