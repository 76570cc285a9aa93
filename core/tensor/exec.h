#pragma once

#include "core/tensor/memory.h"
#include "core/tensor/tensor.h"

namespace hyscale {

/// Where and with what a kernel runs. Passed to every kernel and layer.
struct Exec {
  Device device = Device::cpu;
  Arena* arena = nullptr;  // activations and scratch; never null when a kernel says it needs scratch
};

}  // namespace hyscale
