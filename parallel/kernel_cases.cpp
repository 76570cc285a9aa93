#include <cmath>
#include <fmt/format.h>
#include <memory>

#include "core/kernels/attention.h"
#include "core/kernels/causal_conv.h"
#include "core/kernels/cross_entropy.h"
#include "core/kernels/embedding.h"
#include "core/kernels/gated_rms_norm.h"
#include "core/kernels/gemm.h"
#include "core/kernels/rms_norm.h"
#include "core/kernels/rope.h"
#include "core/kernels/ssd.h"
#include "core/kernels/swiglu.h"
#include "core/optim/gpu_adamw.h"
#include "parallel/gpu_yardstick.h"
#include "parallel/kernel_bench.h"

namespace hyscale::parallel {
namespace {

constexpr int64_t kTokens = 32768, kVocabulary = 32768;

/// The tensors of one case, alive as long as its work.
class Tensors {
 public:
  explicit Tensors(DeviceContext& context) : context_(&context) {}
  Tensor activations(const Shape& shape, double deviation = 1) { return keep(DType::bf16, shape, deviation); }
  Tensor wide(const Shape& shape, double deviation = 1) { return keep(DType::f32, shape, deviation); }
  Tensor indices(int64_t count, int64_t below) {
    OwnedTensor host(DType::i32, {count});
    uint32_t state = 1;
    for (int64_t i = 0; i < count; ++i) {
      state = state * 1664525U + 1013904223U;
      host.tensor().as<int32_t>()[i] = static_cast<int32_t>((state >> 8) % static_cast<uint32_t>(below));
    }
    return all_.emplace_back(on_device(std::move(host), {.device = context_->device(), .context = context_})).tensor();
  }
  Tensor zeros(DType dtype, const Shape& shape) {
    return all_.emplace_back(OwnedTensor(dtype, shape, context_->memory())).tensor();
  }

 private:
  Tensor keep(DType dtype, const Shape& shape, double deviation) {
    const uint64_t seed = all_.size() + 1;
    return all_.emplace_back(random_tensor(*context_, dtype, shape, seed, deviation)).tensor();
  }
  DeviceContext* context_;
  std::vector<OwnedTensor> all_;
};

std::shared_ptr<Tensors> tensors(DeviceContext& context) { return std::make_shared<Tensors>(context); }
double product(std::initializer_list<int64_t> factors) {
  double all = 1;
  for (const int64_t factor : factors) all *= static_cast<double>(factor);
  return all;
}
constexpr double kBf16 = 2, kF32 = 4;  // bytes

KernelCase rms_norm(DeviceContext& context, int64_t channels, bool backward) {
  const auto t = tensors(context);
  const Tensor x = t->activations({kTokens, channels}), delta = t->activations({kTokens, channels}),
               out = t->activations({kTokens, channels}), sum = t->activations({kTokens, channels}),
               weight = t->wide({channels}), rstd = t->zeros(DType::f32, {kTokens}),
               dweight = t->zeros(DType::f32, {channels});
  const kernels::RmsNormArgs forward{.out = out, .rstd = rstd, .sum = sum, .x = x, .delta = delta, .weight = weight};
  KernelCase c{.kernel = backward ? "rms_norm_backward" : "rms_norm",
               .shape = fmt::format("{}x{}", kTokens, channels),
               .bytes = 4 * kBf16 * product({kTokens, channels})};  // x, delta, h, out; dx twice, dout, h
  if (!backward) {
    c.work = [t, forward](const Exec& exec) { kernels::rms_norm(forward, exec); };
    return c;
  }
  kernels::rms_norm(forward, {.device = context.device(), .context = &context});
  c.work = [=, keep = t](const Exec& exec) {
    kernels::rms_norm_backward(
        {.dx = x, .dweight = dweight, .dout = out, .x = sum, .rstd = rstd, .weight = weight, .accumulate = true}, exec);
  };
  return c;
}

KernelCase swiglu(DeviceContext& context, int64_t d_ff, bool backward) {
  const auto t = tensors(context);
  const Tensor gate_up = t->activations({kTokens, 2 * d_ff}), out = t->activations({kTokens, d_ff});
  KernelCase c{.kernel = backward ? "swiglu_backward" : "swiglu",
               .shape = fmt::format("{}x{}", kTokens, d_ff),
               .bytes = (backward ? 5 : 3) * kBf16 * product({kTokens, d_ff})};
  if (backward) {
    const Tensor dgate_up = t->activations({kTokens, 2 * d_ff});
    c.work = [=, keep = t](const Exec& exec) {
      kernels::swiglu_backward({.dgate_up = dgate_up, .dout = out, .gate_up = gate_up}, exec);
    };
  } else {
    c.work = [=, keep = t](const Exec& exec) { kernels::swiglu({.out = out, .gate_up = gate_up}, exec); };
  }
  return c;
}

KernelCase rope(DeviceContext& context, int64_t heads, int64_t dim) {
  const auto t = tensors(context);
  const int64_t length = 8192;
  const Tensor x = t->activations({kTokens, heads, dim}), cos = t->wide({length, dim / 2}, 0.5),
               sin = t->wide({length, dim / 2}, 0.5);
  return {.kernel = "rope",
          .shape = fmt::format("{}x{}x{}", kTokens, heads, dim),
          .bytes = 2 * kBf16 * product({kTokens, heads, dim}),
          .work = [=, keep = t](const Exec& exec) {
            kernels::rope({.x = x, .cos = cos, .sin = sin, .length = length}, exec);
          }};
}

KernelCase gated_rms_norm(DeviceContext& context, int64_t channels, bool backward) {
  const auto t = tensors(context);
  const Tensor y = t->activations({kTokens, channels}), z = t->activations({kTokens, channels}),
               out = t->activations({kTokens, channels}), dz = t->activations({kTokens, channels}),
               rstd = t->zeros(DType::f32, {kTokens, 1}), dweight = t->zeros(DType::f32, {channels});
  const kernels::GatedRmsNormArgs args{.y = y, .z = z, .weight = t->wide({channels})};
  KernelCase c{.kernel = backward ? "gated_rms_norm_backward" : "gated_rms_norm",
               .shape = fmt::format("{}x{}", kTokens, channels),
               .bytes = (backward ? 5 : 3) * kBf16 * product({kTokens, channels})};
  if (!backward) {
    c.work = [=, keep = t](const Exec& exec) { kernels::gated_rms_norm(args, out, rstd, exec); };
    return c;
  }
  const Tensor dy = t->activations({kTokens, channels});
  kernels::gated_rms_norm(args, out, rstd, {.device = context.device(), .context = &context});
  c.work = [=, keep = t](const Exec& exec) {
    kernels::gated_rms_norm_backward(args, rstd, out, dy, dz, dweight, exec);
  };
  return c;
}

KernelCase conv(DeviceContext& context, int64_t channels, bool backward) {
  const auto t = tensors(context);
  const Tensor u = t->activations({kTokens, channels}), out = t->activations({kTokens, channels}),
               du = t->activations({kTokens, channels}), dweight = t->zeros(DType::f32, {channels, 4}),
               dbias = t->zeros(DType::f32, {channels});
  const kernels::CausalConvArgs args{
      .sequences = 4, .u = u, .weight = t->activations({channels, 4}, 0.3), .bias = t->wide({channels}, 0.1)};
  KernelCase c{.kernel = backward ? "causal_conv_backward" : "causal_conv",
               .shape = fmt::format("4x8192x{}", channels),
               .bytes = (backward ? 3 : 2) * kBf16 * product({kTokens, channels})};
  if (backward)
    c.work = [=, keep = t](const Exec& exec) {
      kernels::causal_conv_silu_backward(args, out, du, dweight, dbias, exec);
    };
  else
    c.work = [=, keep = t](const Exec& exec) { kernels::causal_conv_silu(args, out, exec); };
  return c;
}

/// Products of the chunked scan, of 256 tokens as the peer cuts them: scores, inside a chunk, states in and out.
double ssd_flops(const kernels::SsdShape& s, int64_t chunk) {
  const double inner = product({s.heads, s.head_dim});
  const double token = static_cast<double>(chunk) * (product({s.groups, s.d_state}) + inner) +
                       4 * inner * static_cast<double>(s.d_state);
  return static_cast<double>(s.tokens()) * token;
}

KernelCase ssd(DeviceContext& context, kernels::SsdShape s, bool backward) {
  const auto t = tensors(context);
  const int64_t inner = s.heads * s.head_dim, bc = s.groups * s.d_state;
  const Tensor y = t->activations({s.tokens(), inner});
  const kernels::SsdInputs in{.x = t->activations({s.tokens(), inner}),
                              .b = t->activations({s.tokens(), bc}, 0.3),
                              .c = t->activations({s.tokens(), bc}, 0.3),
                              .dt_raw = t->activations({s.tokens(), s.heads}),
                              .dt_bias = t->wide({s.heads}),
                              .a_log = t->wide({s.heads}),
                              .d = t->wide({s.heads}),
                              .initial_state = {}};
  KernelCase c{.kernel = backward ? "ssd_forward_backward" : "ssd",
               .shape = fmt::format("B{} T{} {}x{} state {}", s.sequences, s.length, s.heads, s.head_dim, s.d_state),
               .flops = (backward ? 3 : 1) * ssd_flops(s, 256)};
  if (!backward) {
    c.work = [=, keep = t](const Exec& exec) { kernels::ssd_forward(s, in, y, {}, exec); };
    return c;
  }
  const kernels::SsdGradients gradients{.x = t->activations({s.tokens(), inner}),
                                        .b = t->activations({s.tokens(), bc}),
                                        .c = t->activations({s.tokens(), bc}),
                                        .dt_raw = t->activations({s.tokens(), s.heads}),
                                        .dt_bias = t->zeros(DType::f32, {s.heads}),
                                        .a_log = t->zeros(DType::f32, {s.heads}),
                                        .d = t->zeros(DType::f32, {s.heads})};
  const Tensor dy = t->activations({s.tokens(), inner});
  c.work = [=, keep = t](const Exec& exec) {
    const kernels::SsdSaved saved = kernels::ssd_forward(s, in, y, {}, exec);
    kernels::ssd_backward(s, in, saved, dy, gradients, exec);
  };
  return c;
}

struct Heads {
  int64_t sequences, length, heads, kv_heads, dim;
};

KernelCase attention(DeviceContext& context, Heads h, bool backward) {
  const auto t = tensors(context);
  const auto rows = [&](int64_t heads) { return t->activations({h.sequences, h.length, heads, h.dim}); };
  const kernels::AttentionArgs args{.out = rows(h.heads),
                                    .lse = t->zeros(DType::f32, {h.sequences, h.heads, h.length}),
                                    .q = rows(h.heads),
                                    .k = rows(h.kv_heads),
                                    .v = rows(h.kv_heads),
                                    .scale = 1 / std::sqrt(static_cast<double>(h.dim)),
                                    .mask = {}};
  const double forward = 2 * product({h.sequences, h.length, h.length, h.heads, h.dim});  // the causal half
  KernelCase c{.kernel = backward ? "attention_forward_backward" : "attention",
               .shape = fmt::format("B{} T{} {}/{}x{}", h.sequences, h.length, h.heads, h.kv_heads, h.dim),
               .flops = backward ? 3.5 * forward : forward};
  if (!backward) {
    c.work = [=, keep = t](const Exec& exec) { kernels::attention(args, exec); };
    return c;
  }
  const kernels::AttentionBackwardArgs back{
      .dq = rows(h.heads), .dk = rows(h.kv_heads), .dv = rows(h.kv_heads), .dout = rows(h.heads), .saved = args};
  c.work = [=, keep = t](const Exec& exec) {
    kernels::attention(args, exec);
    kernels::attention_backward(back, exec);
  };
  return c;
}

KernelCase cross_entropy(DeviceContext& context) {
  const auto t = tensors(context);
  const int64_t d = 2048;
  const kernels::CrossEntropyArgs args{.x = t->activations({kTokens, d}),
                                       .weight = t->activations({kVocabulary, d}, 0.02),
                                       .targets = t->indices(kTokens, kVocabulary),
                                       .loss = t->zeros(DType::f64, {1}),
                                       .nll = {},
                                       .dx = t->activations({kTokens, d}),
                                       .dweight = t->zeros(DType::f32, {kVocabulary, d}),
                                       .scale = 1.0 / kTokens};
  return {.kernel = "cross_entropy",
          .shape = fmt::format("{}x{}x{} with gradients", kTokens, d, kVocabulary),
          .flops = 6 * product({kTokens, d, kVocabulary}),
          .work = [=, keep = t](const Exec& exec) { kernels::cross_entropy(args, exec); }};
}

KernelCase embedding(DeviceContext& context, bool backward) {
  const auto t = tensors(context);
  const int64_t d = 2048;
  const Tensor tokens = t->indices(kTokens, kVocabulary), rows = t->activations({kTokens, d});
  KernelCase c{.kernel = backward ? "embedding_backward" : "embedding", .shape = fmt::format("{}x{}", kTokens, d)};
  c.bytes = (backward ? kBf16 + 2 * kF32 : 2 * kBf16) * product({kTokens, d});
  if (backward) {
    const Tensor dweight = t->zeros(DType::f32, {kVocabulary, d});
    c.work = [=, keep = t](const Exec& exec) {
      kernels::embedding_backward({.dweight = dweight, .tokens = tokens, .dout = rows}, exec);
    };
  } else {
    const Tensor weight = t->activations({kVocabulary, d}, 0.02);
    c.work = [=, keep = t](const Exec& exec) {
      kernels::embedding({.out = rows, .tokens = tokens, .weight = weight}, exec);
    };
  }
  return c;
}

KernelCase adamw(DeviceContext& context) {
  constexpr int64_t kGroup = 2048;
  const int64_t n = 1'000'000'512 / kGroup * kGroup;
  const auto t = tensors(context);
  OwnedTensor plan(DType::f64, {4});
  double* const schedule = plan.tensor().as<double>();
  schedule[0] = 3e-4, schedule[1] = schedule[2] = schedule[3] = 1;
  const Tensor now = t->zeros(DType::f64, {4});
  context.upload(now, schedule);
  const optim::GpuAdamWArgs args{.weights = t->wide({n}),
                                 .rounded = t->activations({n}),
                                 .gradients = t->wide({n}, 1e-3),
                                 .m = t->wide({n}, 1e-3),
                                 .v = t->zeros(DType::f32, {n}),
                                 .decays = t->zeros(DType::i32, {n / kGroup}),
                                 .schedule = now,
                                 .betas = {0.9, 0.95},
                                 .weight_decay = 0.1,
                                 .clip = 1};
  return {.kernel = "adamw",
          .shape = fmt::format("{}", n),
          .bytes = (8 * kF32 + kBf16) * static_cast<double>(n),
          .work = [=, keep = t](const Exec& exec) { optim::gpu_adamw(args, exec); }};
}

KernelCase gemm(DeviceContext& context, int64_t m, int64_t n, int64_t k, bool weight_gradient) {
  const auto t = tensors(context);
  KernelCase c{.kernel = "gemm",
               .shape = fmt::format("{}x{}x{}{}", m, n, k, weight_gradient ? " to f32" : ""),
               .flops = 2 * product({m, n, k})};
  const kernels::GemmArgs args = weight_gradient ? kernels::GemmArgs{.out = t->wide({m, n}),
                                                                     .a = t->activations({k, m}),
                                                                     .b = t->activations({k, n}),
                                                                     .transpose_a = true,
                                                                     .accumulate = true}
                                                 : kernels::GemmArgs{.out = t->activations({m, n}),
                                                                     .a = t->activations({m, k}),
                                                                     .b = t->activations({n, k}, 0.02),
                                                                     .transpose_b = true};
  c.work = [=, keep = t](const Exec& exec) { kernels::gemm(args, exec); };
  return c;
}

}  // namespace

std::vector<NamedCase> kernel_cases() {
  std::vector<NamedCase> cases;
  const auto add = [&](const char* kernel, CaseMaker make) { cases.push_back({kernel, std::move(make)}); };
  const auto both = [&](const char* kernel, const std::function<KernelCase(DeviceContext&, bool)>& make) {
    for (const bool backward : {false, true})
      add(kernel, [=](DeviceContext& context) { return make(context, backward); });
  };
  both("rms_norm", [](auto& context, bool backward) { return rms_norm(context, 2048, backward); });
  both("swiglu", [](auto& context, bool backward) { return swiglu(context, 8192, backward); });
  add("rope", [](auto& context) { return rope(context, 40, 64); });
  both("gated_rms_norm", [](auto& context, bool backward) { return gated_rms_norm(context, 4096, backward); });
  both("causal_conv", [](auto& context, bool backward) { return conv(context, 4352, backward); });
  for (const kernels::SsdShape& s : {kernels::SsdShape{4, 8192, 32, 128, 1, 128, 128},
                                     {4, 8192, 64, 64, 1, 128, 128},
                                     {16, 2048, 32, 64, 1, 128, 128},
                                     {8, 1024, 16, 64, 1, 128, 128}})
    both("ssd", [s](auto& context, bool backward) { return ssd(context, s, backward); });
  for (const Heads h : {Heads{4, 8192, 32, 8, 64}, {4, 8192, 16, 4, 128}, {16, 2048, 16, 16, 64}})
    both("attention", [h](auto& context, bool backward) { return attention(context, h, backward); });
  add("cross_entropy", cross_entropy);
  both("embedding", embedding);
  add("adamw", adamw);
  const int64_t d = 2048, ff = 8192, qkv = 3072;
  for (const auto& weight : {std::pair{qkv, d}, {d, d}, {2 * ff, d}, {d, ff}}) {
    add("gemm", [=](auto& context) { return gemm(context, kTokens, weight.first, weight.second, false); });
    add("gemm", [=](auto& context) { return gemm(context, weight.first, weight.second, kTokens, true); });
  }
  return cases;
}

}  // namespace hyscale::parallel
