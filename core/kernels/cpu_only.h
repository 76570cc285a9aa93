#pragma once

#include "core/tensor/exec.h"

namespace hyscale::kernels {

/// Throws ConfigError naming `kernel` and the remedy when exec asks for a device that it has no twin for. Every kernel
/// that takes an Exec begins with this: none has a CUDA twin yet.
void cpu_only(const char* kernel, const Exec& exec);

}  // namespace hyscale::kernels
