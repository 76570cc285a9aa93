#pragma once

#include <array>
#include <cstdint>

#include "core/spec/run_config.h"
#include "core/tensor/tensor.h"

namespace hyscale::optim {

/// A run of flat elements that all decay or all do not.
struct DecayRange {
  int64_t begin = 0;
  int64_t end = 0;
  bool decay = true;
};

/// One AdamW step on a slice of the flat parameters (Loshchilov & Hutter 2019, decoupled decay):
///   g = gradient_scale · gradient;  m = β1 m + (1-β1) g;  v = β2 v + (1-β2) g²
///   w -= lr · ( m̂ / (√v̂ + ε) + weight_decay · w )     with m̂ = m/(1-β1^step), v̂ = v/(1-β2^step)
struct AdamWArgs {
  View<float, 1> weights;          // [n]  updated
  View<const float, 1> gradients;  // [n]
  View<float, 1> m;                // [n]  updated
  View<float, 1> v;                // [n]  updated
  double lr = 0;
  std::array<double, 2> betas{0.9, 0.95};
  double epsilon = 1e-8;
  double weight_decay = 0;    // 0 where a range does not decay
  double gradient_scale = 1;  // clip factor
  int64_t step = 1;           // 1-based
};
/// Throws ShapeError when the lengths differ.
void adamw(const AdamWArgs& args);

/// Learning rate after `tokens` tokens have been seen and before the next step: step k (0-based) uses
/// tokens = k × batch_tokens. Warm-up is linear from lr·batch/warmup at the first step to lr; a trapezoid's cool-down
/// is linear to 0 at the end of the run; cosine decays from the end of warm-up to 10 % of lr there; constant stays.
double learning_rate(const spec::TrainConfig& train, int64_t tokens);

/// Σ v² of a slice, in double and in a fixed order.
double sum_of_squares(View<const float, 1> values);

}  // namespace hyscale::optim
