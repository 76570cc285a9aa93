#pragma once

#include <memory>
#include <string>

#include "core/spec/run_config.h"
#include "core/tensor/device_context.h"

namespace hyscale::parallel {

/// What a rank computes on.
struct WorkDevice {
  std::unique_ptr<DeviceContext> gpu;  // null: the CPU
  DType compute = DType::f32;          // of weights and activations in products
  bool float8 = false;                 // the projections' products (spec::Precision::fp8)
  std::string note;                    // why this one, when --device auto chose: "no GPU is here"; else empty

  DeviceContext& context() const { return gpu != nullptr ? *gpu : host_context(); }
  std::string_view precision() const { return float8 ? "fp8" : compute == DType::bf16 ? "bf16" : "fp32"; }
  std::string_view word() const { return gpu != nullptr ? "cuda" : "cpu"; }  // of --device
};

/// Opens what --device says: cpu, cuda, or auto (a GPU when one is here and the config can use it). Throws ConfigError
/// when there is no such device, when the build lacks it, when it does not offer `precision`, or when this CPU cannot
/// run the kernels that were built.
WorkDevice open_device(const std::string& device, spec::Precision precision, bool deterministic, int ranks);

}  // namespace hyscale::parallel
