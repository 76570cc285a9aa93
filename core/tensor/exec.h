#pragma once

#include "core/tensor/memory.h"
#include "core/tensor/tensor.h"

namespace hyscale {

class DeviceContext;

/// Where and with what a kernel runs. Passed to every kernel and layer. On a GPU a kernel enqueues its work and
/// returns.
struct Exec {
  Device device = Device::cpu;
  Arena* arena = nullptr;            // activations and scratch; never null when a kernel says it needs scratch
  DeviceContext* context = nullptr;  // never null on a GPU
  bool two_queues = false;           // a hybrid layer's branches may happen side by side
  bool float8 = false;               // projections multiply in eight bits where they can (core/mixers/projection.h)
};

}  // namespace hyscale
