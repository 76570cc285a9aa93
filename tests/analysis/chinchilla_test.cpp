#include "analysis/chinchilla.h"

#include <gmock/gmock.h>

#include "tests/analysis/synthetic.h"

namespace hyscale::analysis {
namespace {

// Off the optimum, so that residuals lie on both sides of the Huber threshold.
const Theta kSomewhere = {0.5, 0.1, -0.4, 0.37, 0.31};

const std::array<FitLoss, 4> kLosses = {{{.delta = 1e-3}, {.delta = 1e-1}, {.delta = 10}, {.kind = FitLoss::Kind::l2}}};

TEST(ChinchillaObjective, GradientAgreesWithCentralDifferences) {
  const PointSet set = planted_points();
  for (const FitLoss loss : kLosses) {
    const ChinchillaObjective objective(set.points, loss);
    Theta gradient{};
    objective.value_and_gradient(kSomewhere, gradient);
    for (size_t i = 0; i < 5; ++i) {
      const double step = 1e-5;
      Theta up = kSomewhere, down = kSomewhere;
      up[i] += step, down[i] -= step;
      const double difference = (objective.value(up) - objective.value(down)) / (2 * step);
      EXPECT_NEAR(gradient[i] / difference, 1, 1e-6)
          << "component " << i << ", " << name_of(loss.kind) << " " << loss.delta;
    }
  }
}

TEST(ChinchillaObjective, HessianAgreesWithDifferencesOfTheGradient) {
  for (const FitLoss loss : {FitLoss{.delta = 0.1}, FitLoss{.kind = FitLoss::Kind::l2}}) {
    const ChinchillaObjective objective(planted_points().points, loss);
    std::array<Theta, 5> hessian{};
    objective.hessian(kSomewhere, hessian);
    for (size_t i = 0; i < 5; ++i) {
      const double step = 1e-6;
      Theta up = kSomewhere, down = kSomewhere, above{}, below{};
      up[i] += step, down[i] -= step;
      objective.value_and_gradient(up, above);
      objective.value_and_gradient(down, below);
      for (size_t j = 0; j < 5; ++j)
        EXPECT_NEAR(hessian[i][j], (above[j] - below[j]) / (2 * step), 1e-5 * (1 + std::abs(hessian[i][j])));
    }
  }
}

TEST(ChinchillaObjective, IsZeroAtThePlantedLaw) {
  const ChinchillaObjective objective(planted_points().points, {});
  EXPECT_NEAR(objective.value(objective.theta(planted_law())), 0, 1e-15);
  EXPECT_NEAR(objective.law(objective.theta(planted_law())).b, planted_law().b, 1e-9);
}

TEST(ChinchillaObjective, GrowsLinearlyFarFromTheData) {
  const PointSet set = planted_points();
  const ChinchillaObjective objective({set.points[0]}, {});
  const auto value_with_loss_times = [&](double factor) {
    Point point = set.points[0];
    point.loss *= factor;
    return ChinchillaObjective({point}, {}).value(objective.theta(planted_law()));
  };
  EXPECT_NEAR(value_with_loss_times(std::exp(0.1)), 0.1 / 1e-3 - 0.5, 1e-6);
  EXPECT_NEAR(value_with_loss_times(std::exp(0.0005)), 0.5 * 0.25, 1e-6);
}

TEST(ChinchillaObjective, UnscaledIsTheSumOverThePointsAsPublished) {
  PointSet set = planted_points();
  set.points.resize(2);
  const double predicted[2] = {set.points[0].loss, set.points[1].loss};
  set.points[0].loss *= std::exp(-0.02);
  set.points[1].loss *= std::exp(0.0005);
  const ChinchillaObjective huber(set.points, {.delta = 1e-3}), squares(set.points, {.kind = FitLoss::Kind::l2});
  EXPECT_NEAR(huber.unscaled(huber.value(huber.theta(planted_law()))), 1e-3 * (0.02 - 0.5e-3) + 0.5 * 0.0005 * 0.0005,
              1e-12);
  const double first = predicted[0] - set.points[0].loss, second = predicted[1] - set.points[1].loss;
  EXPECT_NEAR(squares.unscaled(squares.value(squares.theta(planted_law()))), first * first + second * second, 1e-12);
}

TEST(ChinchillaObjective, GradientsOfThePointsSumToTheGradient) {
  for (const FitLoss loss : kLosses) {
    const ChinchillaObjective objective(planted_points().points, loss);
    Theta sum{}, gradient{};
    for (const auto& one : objective.shares(kSomewhere))
      for (size_t i = 0; i < 5; ++i) sum[i] += one.slope * one.by_theta[i];
    objective.value_and_gradient(kSomewhere, gradient);
    for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(sum[i] / gradient[i], 1, 1e-9);
  }
}

TEST(ChinchillaObjective, JacobianAgreesWithDifferencesOfTheLaw) {
  const ChinchillaObjective objective(planted_points().points, {});
  const auto jacobian = objective.jacobian(kSomewhere);
  for (size_t j = 0; j < 5; ++j) {
    const double step = 1e-6;
    Theta up = kSomewhere, down = kSomewhere;
    up[j] += step, down[j] -= step;
    const LawNumbers above = objective.law(up).numbers(), below = objective.law(down).numbers();
    for (size_t i = 0; i < 7; ++i) {
      const double difference = (above[i] - below[i]) / (2 * step);
      EXPECT_NEAR(jacobian[i][j], difference, 1e-6 * (1 + std::abs(difference))) << kLawNames[i] << " by " << j;
    }
  }
}

}  // namespace
}  // namespace hyscale::analysis
