#include "parallel/gpu_optimizer.h"

#include <array>
#include <cmath>

#include "core/optim/gpu_adamw.h"

namespace hyscale::parallel {

static OwnedTensor decay_bits(const model::ParameterTable& parameters, DeviceContext& context) {
  constexpr int64_t kGroup = 64, kBits = 32;  // elements a bit stands for, bits of a word
  const int64_t words = (parameters.weights().numel() + kGroup * kBits - 1) / (kGroup * kBits);
  OwnedTensor host(DType::i32, {words});
  auto* const bits = host.tensor().as<int32_t>();
  for (const model::Parameter& p : parameters.all())
    for (int64_t group = p.offset / kGroup; p.spec.decay && group * kGroup < p.offset + p.size; ++group)
      bits[group / kBits] |= static_cast<int32_t>(1U << (group % kBits));
  return on_device(std::move(host), {.device = context.device(), .context = &context});
}

GpuOptimizer::GpuOptimizer(model::ParameterTable& parameters, const spec::OptimizerConfig& config,
                           DeviceContext& context)
    : parameters_(parameters),
      config_(config),
      context_(context),
      m_(DType::f32, parameters.weights().shape(), context.memory()),
      v_(DType::f32, parameters.weights().shape(), context.memory()),
      decays_(decay_bits(parameters, context)),
      schedule_(DType::f64, {4}, context.memory()),
      arena_(context.memory()) {}

void GpuOptimizer::step(int64_t step, double lr) {
  const auto correction = [&](double beta) { return 1 / (1 - std::pow(beta, static_cast<double>(step))); };
  const std::array<double, 3> now{lr, correction(config_.betas[0]), correction(config_.betas[1])};
  context_.upload(schedule_.tensor().slice(0, 0, 3), now.data());
  recorded_.run(context_, arena_, [&] { enqueue(); });
}

void GpuOptimizer::enqueue() {
  const Exec exec{.device = context_.device(), .arena = &arena_, .context = &context_};
  const Arena::Scope scratch(arena_);
  optim::gpu_sum_of_squares(schedule_.tensor().slice(0, 3, 1), parameters_.gradients(), exec);
  optim::gpu_adamw({.weights = parameters_.weights(),
                    .rounded = parameters_.rounded(),
                    .gradients = parameters_.gradients(),
                    .m = m_,
                    .v = v_,
                    .decays = decays_,
                    .schedule = schedule_,
                    .betas = config_.betas,
                    .epsilon = config_.epsilon,
                    .weight_decay = config_.weight_decay,
                    .clip = config_.clip},
                   exec);
}

double GpuOptimizer::gradient_norm() {
  double squares = 0;
  context_.download(&squares, schedule_.tensor().slice(0, 3, 1));
  return std::sqrt(squares);
}

void GpuOptimizer::copy_moments(std::vector<float>& m, std::vector<float>& v) const {
  m.resize(static_cast<size_t>(m_.tensor().numel()));
  v.resize(m.size());
  context_.download(m.data(), m_);
  context_.download(v.data(), v_);
}

void GpuOptimizer::set_moments(std::span<const float> m, std::span<const float> v) {
  context_.upload(m_, m.data());
  context_.upload(v_, v.data());
}

}  // namespace hyscale::parallel
