#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/tensor/device_context.h"

namespace hyscale::parallel {

/// What a GPU's data sheet promises for dense products in bf16.
struct DensePeak {
  std::string gpu;   // "H200 SXM"
  double flops = 0;  // per second
};
/// By the name the driver gives ("NVIDIA H200"); nullopt for a GPU that is not in the table.
std::optional<DensePeak> dense_bf16_peak(const std::string& name);

/// FLOP/s of the products of a feed-forward layer, forward and backward in turn on random bf16 matrices, kept up for
/// `seconds`: what the power limit leaves over a long time.
double sustained_gemm_rate(DeviceContext& context, int64_t tokens, int64_t d_model, int64_t d_ff, double seconds);

/// A dense bf16 or f32 tensor of N(0, 1) · deviation on the device; the same values for the same seed. Large ones
/// repeat a pattern of a million values.
OwnedTensor random_tensor(DeviceContext& context, DType dtype, const Shape& shape, uint64_t seed, double deviation = 1);

}  // namespace hyscale::parallel
