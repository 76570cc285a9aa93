#include "core/optim/adamw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/base/error.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::optim {

static constexpr int64_t kGrain = int64_t{1} << 15;  // elements a task takes

void adamw(const AdamWArgs& a) {
  const int64_t n = a.weights.extent(0);
  if (a.gradients.extent(0) != n || a.m.extent(0) != n || a.v.extent(0) != n)
    throw ShapeError("adamw: weights, gradients, m and v must have one length");
  const double step = static_cast<double>(a.step);
  const double m_correction = 1 / (1 - std::pow(a.betas[0], step)), v_correction = 1 / (1 - std::pow(a.betas[1], step));
  const auto f = [](double x) { return static_cast<float>(x); };
  const float beta1 = f(a.betas[0]), new1 = f(1 - a.betas[0]), beta2 = f(a.betas[1]), new2 = f(1 - a.betas[1]);
  const float m_factor = f(m_correction), v_factor = f(v_correction), epsilon = f(a.epsilon),
              scale = f(a.gradient_scale);
  const float rate = f(a.lr), keep = f(1 - a.lr * a.weight_decay);
  parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
    float *w = a.weights.data, *m = a.m.data, *v = a.v.data;
    const float* gradient = a.gradients.data;
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) {
      const float g = gradient[i] * scale;
      m[i] = beta1 * m[i] + new1 * g;
      v[i] = beta2 * v[i] + new2 * g * g;
      w[i] = keep * w[i] - rate * (m[i] * m_factor / (std::sqrt(v[i] * v_factor) + epsilon));
    }
  });
}

double learning_rate(const spec::TrainConfig& train, int64_t tokens) {
  const spec::ScheduleConfig& schedule = train.schedule;
  const double peak = train.optimizer.lr;
  const auto ratio = [](int64_t a, int64_t b) { return static_cast<double>(a) / static_cast<double>(b); };
  const int64_t warmup = schedule.warmup_tokens, cooldown = schedule.cooldown_tokens;
  if (tokens < warmup) return peak * std::min(1.0, ratio(tokens + train.batch_tokens, warmup));
  switch (schedule.kind) {
    case spec::ScheduleKind::trapezoid:
      if (cooldown > 0 && tokens >= train.tokens - cooldown)
        return peak * ratio(std::max<int64_t>(0, train.tokens - tokens), cooldown);
      return peak;
    case spec::ScheduleKind::cosine: {
      const int64_t rest = train.tokens - warmup;
      const double done = rest > 0 ? std::min(1.0, ratio(tokens - warmup, rest)) : 1.0;
      return peak * (0.1 + 0.9 * 0.5 * (1 + std::cos(std::numbers::pi * done)));
    }
    case spec::ScheduleKind::constant:
      break;
  }
  return peak;
}

double sum_of_squares(View<const float, 1> values) {
  constexpr int64_t kMost = 256;  // partial sums
  const int64_t n = values.extent(0), grain = std::max(kGrain, (n + kMost - 1) / kMost);
  std::array<double, kMost> partial{};
  parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = begin; i < end; ++i)
      sum += static_cast<double>(values.data[i]) * static_cast<double>(values.data[i]);
    partial[static_cast<size_t>(begin / grain)] = sum;
  });
  double sum = 0;
  for (const double part : partial) sum += part;
  return sum;
}

}  // namespace hyscale::optim
