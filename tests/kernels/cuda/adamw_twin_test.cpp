#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/optim/adamw.h"
#include "core/optim/gpu_adamw.h"
#include "tests/kernels/cuda/twin.h"

namespace hyscale::tests {
namespace {

constexpr int64_t kStep = 7;
constexpr double kRate = 0.01;

struct AdamWCase {
  int64_t groups;  // of 64 elements
  double clip = 0;
  double squares = 4;  // of all gradients, those of other buckets too
  bool rounded = true;
  DType dtype = DType::bf16;
  std::string name() const {
    const char* const size = std::isfinite(squares) ? "" : "_not_finite";
    return std::to_string(groups) + "_groups" +
           (clip == 0  ? ""
            : clip < 1 ? "_clipped"
                       : "_unclipped") +
           size + (rounded ? "_rounded" : "");
  }
};

// Every third group does not decay.
bool decays(int64_t group) { return group % 3 != 1; }

std::vector<int32_t> decay_bits(int64_t groups) {
  std::vector<uint32_t> words(static_cast<size_t>((groups + 31) / 32));
  for (int64_t g = 0; g < groups; ++g)
    if (decays(g)) words[static_cast<size_t>(g / 32)] |= uint32_t{1} << (g % 32);
  return {words.begin(), words.end()};
}

template <class T>
View<T, 1> group_of(const Tensor& tensor, int64_t group) {
  return tensor.slice(0, 64 * group, 64).view<T, 1>();
}

// The GPU's contract, told by the CPU's step.
void update_on_cpu(const optim::GpuAdamWArgs& a) {
  const int64_t groups = a.weights.extent(0) / 64;
  const double squares = a.schedule.as<double>()[3], norm = std::sqrt(squares);
  for (int64_t g = 0; std::isfinite(squares) && g < groups; ++g)
    optim::adamw({.weights = group_of<float>(a.weights, g),
                  .gradients = group_of<const float>(a.gradients, g),
                  .m = group_of<float>(a.m, g),
                  .v = group_of<float>(a.v, g),
                  .lr = kRate,
                  .betas = a.betas,
                  .epsilon = a.epsilon,
                  .weight_decay = decays(g) ? a.weight_decay : 0,
                  .gradient_scale = a.clip > 0 && norm > a.clip ? a.clip / norm : 1.0,
                  .step = kStep});
  std::fill_n(a.gradients.as<float>(), 64 * groups, 0.0f);
  if (!a.rounded.empty()) std::copy_n(a.weights.as<float>(), 64 * groups, a.rounded.as<double>());
}

using AdamWTwin = TwinTestOver<AdamWCase>;

TEST_P(AdamWTwin, UpdatesWeightsAndClearsGradients) {
  const AdamWCase& c = GetParam();
  const int64_t n = 64 * c.groups;
  const bool finite = std::isfinite(c.squares);
  Twin twin(c.dtype);
  const TwinOptions f32{.holds = Holds::f32};
  const auto weights = twin.updated("weights", {n}, f32), gradients = twin.updated("gradients", {n}, f32);
  const auto m = twin.updated("m", {n}, f32), v = twin.updated("v", {n}, {.holds = Holds::f32, .low = 0, .high = 1});
  const auto bits = twin.integers("decays", {static_cast<int64_t>((c.groups + 31) / 32)}, decay_bits(c.groups));
  const std::vector<double> schedule{kRate, 1 / (1 - std::pow(0.8, kStep)), 1 / (1 - std::pow(0.9, kStep)), c.squares};
  const auto now = twin.given("schedule", {4}, schedule, {.holds = Holds::f64});
  const TwinTensor rounded = c.rounded ? twin.output("rounded", {n}) : TwinTensor{};
  twin.run([&](const Side& s) {
    const optim::GpuAdamWArgs args{.weights = s(weights),
                                   .rounded = s(rounded),
                                   .gradients = s(gradients),
                                   .m = s(m),
                                   .v = s(v),
                                   .decays = s(bits),
                                   .schedule = s(now),
                                   .betas = {0.8, 0.9},
                                   .epsilon = 1e-6,
                                   .weight_decay = 0.5,
                                   .clip = c.clip};
    if (s.exec().device == Device::cuda) return optim::gpu_adamw(args, s.exec());
    update_on_cpu(args);
  });
  for (const TwinTensor t : {weights, m, v}) twin.expect_close(t, {.bf16 = finite ? 3e-7 : 0, .worst = 10});
  twin.expect_close(gradients, {.bf16 = 0});
  if (c.rounded) twin.expect_close(rounded, {.bf16 = 3e-3});
}

std::vector<AdamWCase> cases() {
  return {{.groups = 0, .rounded = false},
          {.groups = 1},
          {.groups = 33, .clip = 0.5},
          {.groups = 129, .clip = 3, .rounded = false},
          {.groups = 2000, .clip = 0.5},
          {.groups = 40, .clip = 0.5, .squares = std::numeric_limits<double>::infinity(), .rounded = false},
          {.groups = 40, .squares = std::numeric_limits<double>::quiet_NaN(), .rounded = false}};
}

INSTANTIATE_TEST_SUITE_P(Buckets, AdamWTwin, testing::ValuesIn(cases()), named);

using SumOfSquaresTwin = TwinTest;

TEST_F(SumOfSquaresTwin, IsThatOfTheCpu) {
  for (const int64_t n : {0, 1, 7, 129, 5000, 4'000'003}) {
    Twin twin(DType::f32);
    const auto x = twin.input("x", {n}), out = twin.output("out", {1}, {.holds = Holds::f64});
    twin.run([&](const Side& s) {
      if (s.exec().device == Device::cuda) return optim::gpu_sum_of_squares(s(out), s(x), s.exec());
      double sum = 0;
      for (int64_t i = 0; i < n; ++i) sum += s(x).as<double>()[i] * s(x).as<double>()[i];
      *s(out).as<double>() = sum;
    });
    twin.expect_close({.f32 = 1e-12});
  }
}

}  // namespace
}  // namespace hyscale::tests
