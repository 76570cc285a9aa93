#include "parallel/gpu_yardstick.h"

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include "core/base/clock.h"
#include "core/kernels/gemm.h"

namespace hyscale::parallel {

std::optional<DensePeak> dense_bf16_peak(const std::string& name) {
  struct Known {
    const char *part, *gpu;
    double teraflops;
  };
  static constexpr std::array<Known, 7> kKnown{{{"H100 PCIe", "H100 PCIe", 756},
                                                {"H100 NVL", "H100 NVL", 835},
                                                {"H200 NVL", "H200 NVL", 835},
                                                {"H100", "H100 SXM", 989},
                                                {"H200", "H200 SXM", 989},
                                                {"A100", "A100", 312},
                                                {"B200", "B200", 2250}}};
  for (const Known& known : kKnown) {
    const size_t at = name.find(known.part);
    if (at == std::string::npos || (at > 0 && name[at - 1] != ' ')) continue;  // "GB200" is another one
    return DensePeak{.gpu = known.gpu, .flops = known.teraflops * 1e12};
  }
  return std::nullopt;
}

OwnedTensor random_tensor(DeviceContext& context, DType dtype, const Shape& shape, uint64_t seed, double deviation) {
  constexpr int64_t kPattern = 1 << 20;
  std::mt19937_64 random(seed);
  std::normal_distribution<float> any(0, static_cast<float>(deviation));
  OwnedTensor tensor(dtype, shape, context.memory());
  const int64_t all = tensor.tensor().numel();
  const Tensor flat = tensor.tensor().reshape({all});
  OwnedTensor host(dtype, {std::min(all, kPattern)});
  for (int64_t i = 0; i < host.tensor().numel(); ++i) {
    if (dtype == DType::bf16)
      host.tensor().as<bf16>()[i] = to_bf16(any(random));
    else
      host.tensor().as<float>()[i] = any(random);
  }
  for (int64_t begin = 0; begin < all; begin += kPattern)
    context.upload(flat.slice(0, begin, std::min(kPattern, all - begin)), host.tensor().data());
  return tensor;
}

double sustained_gemm_rate(DeviceContext& context, int64_t tokens, int64_t d_model, int64_t d_ff, double seconds) {
  Arena arena(context.memory());
  const Exec exec{.device = context.device(), .arena = &arena, .context = &context};
  const OwnedTensor x = random_tensor(context, DType::bf16, {tokens, d_model}, 1);
  const OwnedTensor h = random_tensor(context, DType::bf16, {tokens, 2 * d_ff}, 2);
  const OwnedTensor w = random_tensor(context, DType::bf16, {2 * d_ff, d_model}, 3, 0.02);
  const OwnedTensor dw(DType::f32, {2 * d_ff, d_model}, context.memory());
  const OwnedTensor dx(DType::bf16, {tokens, d_model}, context.memory());
  const auto round = [&] {
    kernels::gemm({.out = h, .a = x, .b = w, .transpose_b = true}, exec);
    kernels::gemm({.out = dw, .a = h, .b = x, .transpose_a = true}, exec);
    kernels::gemm({.out = dx, .a = h, .b = w}, exec);
    context.synchronise();
  };
  round();
  const double begin = Clock::system().steady_seconds();
  double end = begin;
  int rounds = 0;
  for (; end - begin < seconds; end = Clock::system().steady_seconds(), ++rounds) round();
  const double flops =
      3.0 * 2 * static_cast<double>(tokens) * static_cast<double>(d_model) * static_cast<double>(2 * d_ff);
  return flops * rounds / (end - begin);
}

}  // namespace hyscale::parallel
