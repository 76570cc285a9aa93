#include "analysis/chinchilla.h"

#include <gmock/gmock.h>

#include "tests/analysis/synthetic.h"

namespace hyscale::analysis {
namespace {

// Off the optimum, so that residuals lie on both sides of the Huber threshold.
const Theta kSomewhere = {0.5, 0.1, -0.4, 0.37, 0.31};

TEST(ChinchillaObjective, GradientAgreesWithCentralDifferences) {
  const PointSet set = planted_points();
  for (const double delta : {1e-3, 1e-1, 10.0}) {
    const ChinchillaObjective objective(set.points, delta);
    Theta gradient{};
    objective.value_and_gradient(kSomewhere, gradient);
    for (size_t i = 0; i < 5; ++i) {
      const double step = 1e-5;
      Theta up = kSomewhere, down = kSomewhere;
      up[i] += step, down[i] -= step;
      const double difference = (objective.value(up) - objective.value(down)) / (2 * step);
      EXPECT_NEAR(gradient[i] / difference, 1, 1e-6) << "component " << i << ", delta " << delta;
    }
  }
}

TEST(ChinchillaObjective, HessianAgreesWithDifferencesOfTheGradient) {
  const ChinchillaObjective objective(planted_points().points, 0.1);
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

TEST(ChinchillaObjective, IsZeroAtThePlantedLaw) {
  const ChinchillaObjective objective(planted_points().points, 1e-3);
  EXPECT_NEAR(objective.value(objective.theta(planted_law())), 0, 1e-15);
  EXPECT_NEAR(objective.law(objective.theta(planted_law())).b, planted_law().b, 1e-9);
}

TEST(ChinchillaObjective, GrowsLinearlyFarFromTheData) {
  const PointSet set = planted_points();
  const ChinchillaObjective objective({set.points[0]}, 1e-3);
  const auto value_with_loss_times = [&](double factor) {
    Point point = set.points[0];
    point.loss *= factor;
    return ChinchillaObjective({point}, 1e-3).value(objective.theta(planted_law()));
  };
  EXPECT_NEAR(value_with_loss_times(std::exp(0.1)), 0.1 / 1e-3 - 0.5, 1e-6);
  EXPECT_NEAR(value_with_loss_times(std::exp(0.0005)), 0.5 * 0.25, 1e-6);
}

}  // namespace
}  // namespace hyscale::analysis
