#include "core/optim/adamw.h"

#include <cmath>
#include <gtest/gtest.h>

#include "tests/support/gradient_check.h"
#include "tests/support/threads.h"

namespace hyscale::optim {

using hyscale::tests::random_tensor;
using hyscale::tests::values_of;

static View<float, 1> view(const Tensor& t) { return t.view<float, 1>(); }
static View<const float, 1> read(const Tensor& t) { return t.view<const float, 1>(); }

TEST(AdamW, FollowsTheUpdateRuleInDouble) {
  const int64_t n = 101;
  const OwnedTensor w = random_tensor(DType::f32, {n}, 1), m(DType::f32, {n}), v(DType::f32, {n});
  std::vector<double> weight = values_of(w), first(n), second(n);
  for (int64_t step = 1; step <= 5; ++step) {
    const OwnedTensor g = random_tensor(DType::f32, {n}, static_cast<uint64_t>(step));
    adamw({.weights = view(w),
           .gradients = read(g),
           .m = view(m),
           .v = view(v),
           .lr = 0.01,
           .betas = {0.8, 0.9},
           .epsilon = 1e-3,
           .weight_decay = 0.2,
           .gradient_scale = 0.5,
           .step = step});
    const double power = static_cast<double>(step);
    for (size_t i = 0; i < weight.size(); ++i) {
      const double gradient = 0.5 * values_of(g)[i];
      first[i] = 0.8 * first[i] + 0.2 * gradient;
      second[i] = 0.9 * second[i] + 0.1 * gradient * gradient;
      const double m_hat = first[i] / (1 - std::pow(0.8, power)), v_hat = second[i] / (1 - std::pow(0.9, power));
      weight[i] -= 0.01 * (m_hat / (std::sqrt(v_hat) + 1e-3) + 0.2 * weight[i]);
    }
  }
  for (size_t i = 0; i < weight.size(); ++i) EXPECT_NEAR(values_of(w)[i], weight[i], 2e-6);
}

static spec::TrainConfig config(spec::ScheduleKind kind) {
  return {.tokens = 1000,
          .batch_tokens = 10,
          .optimizer = {.lr = 2},
          .schedule = {.kind = kind, .warmup_tokens = 100, .cooldown_tokens = 200}};
}

TEST(LearningRate, WarmsUpFromTheFirstStepToThePeak) {
  for (const auto kind : {spec::ScheduleKind::trapezoid, spec::ScheduleKind::cosine, spec::ScheduleKind::constant}) {
    EXPECT_DOUBLE_EQ(learning_rate(config(kind), 0), 2 * 10.0 / 100);
    EXPECT_DOUBLE_EQ(learning_rate(config(kind), 40), 2 * 50.0 / 100);
    EXPECT_DOUBLE_EQ(learning_rate(config(kind), 90), 2);
    EXPECT_DOUBLE_EQ(learning_rate(config(kind), 100), 2);
  }
}

TEST(LearningRate, TrapezoidStaysFlatThenFallsToZeroAtTheEnd) {
  const auto train = config(spec::ScheduleKind::trapezoid);
  EXPECT_DOUBLE_EQ(learning_rate(train, 790), 2);
  EXPECT_DOUBLE_EQ(learning_rate(train, 800), 2);
  EXPECT_DOUBLE_EQ(learning_rate(train, 810), 2 * 190.0 / 200);
  EXPECT_DOUBLE_EQ(learning_rate(train, 990), 2 * 10.0 / 200);
  EXPECT_DOUBLE_EQ(learning_rate(train, 1000), 0);
}

TEST(LearningRate, ABranchSharesItsTrunkUpToTheCoolDown) {
  auto trunk = config(spec::ScheduleKind::trapezoid), branch = trunk;
  trunk.tokens = 2000;
  for (int64_t tokens = 0; tokens <= 800; tokens += 10)
    EXPECT_EQ(learning_rate(trunk, tokens), learning_rate(branch, tokens)) << tokens;
}

TEST(LearningRate, CosineEndsAtATenthAndConstantNeverFalls) {
  EXPECT_DOUBLE_EQ(learning_rate(config(spec::ScheduleKind::cosine), 550), 2 * 0.55);
  EXPECT_DOUBLE_EQ(learning_rate(config(spec::ScheduleKind::cosine), 1000), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate(config(spec::ScheduleKind::constant), 1000), 2);
}

TEST(LearningRate, WithoutWarmUpOrCoolDownIsThePeakThroughout) {
  auto train = config(spec::ScheduleKind::trapezoid);
  train.schedule.warmup_tokens = train.schedule.cooldown_tokens = 0;
  for (const int64_t tokens : {0, 500, 990}) EXPECT_EQ(learning_rate(train, tokens), 2);
}

TEST(SumOfSquares, IsTheSameOnAnyNumberOfThreads) {
  const OwnedTensor values = random_tensor(DType::f32, {200'000}, 1);
  const auto sum_on = [&](int threads) {
    const hyscale::tests::ThreadCount count(threads);
    return sum_of_squares(read(values));
  };
  double wanted = 0;
  for (const double x : values_of(values)) wanted += x * x;
  EXPECT_NEAR(sum_on(1), wanted, 1e-9 * wanted);
  EXPECT_EQ(sum_on(1), sum_on(3));
}

}  // namespace hyscale::optim
