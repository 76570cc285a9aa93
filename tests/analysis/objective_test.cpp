#include "analysis/objective.h"

#include <algorithm>
#include <gmock/gmock.h>

#include "tests/analysis/synthetic.h"

namespace hyscale::analysis {
namespace {

// Off the optimum, so that residuals lie on both sides of the Huber threshold.
const Theta kSomewhere = {0.5, 0.1, -0.4, 0.37, 0.31};

const std::array<FitLoss, 4> kLosses = {{{.delta = 1e-3}, {.delta = 1e-1}, {.delta = 10}, {.kind = FitLoss::Kind::l2}}};

const std::vector<Form> kForms = {{.kind = Form::Kind::chinchilla},
                                  {.kind = Form::Kind::fixed_e, .fixed_floor = 1.5},
                                  {.kind = Form::Kind::shared_exponent},
                                  {.kind = Form::Kind::interaction},
                                  {.kind = Form::Kind::kaplan},
                                  {.kind = Form::Kind::overtraining},
                                  {.kind = Form::Kind::covariates, .covariates = {"one", "other"}}};

Objective of_one(const std::vector<Point>& points, const FitLoss& loss) {
  return {{points}, Form{}, Joint::none, loss};
}

// Two families, the second with other losses and with covariates that vary.
Objective of_two(const Form& form, Joint joint, const FitLoss& loss) {
  std::vector<Point> first = planted_points().points, second = planted_points().points;
  for (size_t i = 0; i < second.size(); ++i) {
    second[i].loss *= 1.02, second[i].n *= 1.3;
    second[i].covariates = {0.1 * static_cast<double>(i % 3), 0.2 * static_cast<double>(i % 2)};
  }
  return {{first, second}, form, joint, loss};
}

// A point off the optimum for any number of free parameters.
Theta somewhere(const Objective& objective) {
  ScalingLaw one = planted_law(), other = planted_law();
  one.e *= 0.9, other.a *= 1.1, other.alpha = 0.37, one.gamma = 1.1, other.gamma = 0.9;
  one.delta = 0.03, other.delta = -0.02, one.kappa = {0.05, -0.1}, other.kappa = {0.1, 0.02};
  Theta theta = objective.theta({one, other});
  for (size_t i = 0; i < theta.size(); ++i) theta[i] += 0.01 * static_cast<double>(i % 3);
  return theta;
}

TEST(Objective, GradientAgreesWithCentralDifferencesInEveryFormAndSharing) {
  for (const Form& form : kForms)
    for (const Joint joint : {Joint::none, Joint::floor, Joint::exponents, Joint::all})
      for (const FitLoss loss : kLosses) {
        const Objective objective = of_two(form, joint, loss);
        const Theta at = somewhere(objective);
        Theta gradient{};
        objective.value_and_gradient(at, gradient);
        for (size_t i = 0; i < at.size(); ++i) {
          const double step = 1e-5;
          Theta up = at, down = at;
          up[i] += step, down[i] -= step;
          const double difference = (objective.value(up) - objective.value(down)) / (2 * step);
          EXPECT_NEAR(gradient[i], difference, 1e-6 * std::abs(difference) + 1e-6 * objective.value(at))
              << name_of(form.kind) << " " << name_of(joint) << " component " << i << ", " << name_of(loss.kind) << " "
              << loss.delta;
        }
      }
}

TEST(Objective, HessianAgreesWithDifferencesOfTheGradient) {
  for (const Form& form : kForms)
    for (const Joint joint : {Joint::none, Joint::exponents})
      for (const FitLoss loss : {FitLoss{.delta = 10}, FitLoss{.kind = FitLoss::Kind::l2}}) {
        const Objective objective = of_two(form, joint, loss);
        const Theta at = somewhere(objective);
        Theta gradient;
        std::vector<double> hessian;
        objective.all(at, gradient, hessian);
        const double scale = *std::max_element(hessian.begin(), hessian.end());
        for (size_t i = 0; i < at.size(); ++i) {
          const double step = 1e-6;
          Theta up = at, down = at, above, below;
          up[i] += step, down[i] -= step;
          objective.value_and_gradient(up, above);
          objective.value_and_gradient(down, below);
          for (size_t j = 0; j < at.size(); ++j)
            EXPECT_NEAR(hessian[i * at.size() + j], (above[j] - below[j]) / (2 * step), 1e-6 * scale)
                << name_of(form.kind) << " " << name_of(joint) << " " << i << " " << j;
        }
      }
}

TEST(Objective, WeightsPointsAsIfTheyStoodThereSoOften) {
  const std::vector<Point> points = planted_points().points;
  std::vector<Point> drawn;
  std::vector<double> counts;
  for (size_t i = 0; i < points.size(); ++i) {
    counts.push_back(static_cast<double>(i % 3));
    for (int k = 0; k < counts.back(); ++k) drawn.push_back(points[i]);
  }
  const Objective all = of_one(points, {}), copies = of_one(drawn, {});
  const ScalingLaw law{.e = 1.7, .a = 390, .b = 430, .alpha = 0.33, .beta = 0.3};
  EXPECT_NEAR(all.weighted(counts).value(all.theta({law})) / copies.value(copies.theta({law})), 1, 1e-12);
}

TEST(Objective, IsZeroAtThePlantedLaw) {
  const Objective objective = of_one(planted_points().points, {});
  EXPECT_NEAR(objective.value(objective.theta({planted_law()})), 0, 1e-15);
  EXPECT_NEAR(objective.law(objective.theta({planted_law()})).b, planted_law().b, 1e-9);
}

TEST(Objective, GrowsLinearlyFarFromTheData) {
  const PointSet set = planted_points();
  const Objective objective = of_one({set.points[0]}, {});
  const auto value_with_loss_times = [&](double factor) {
    Point point = set.points[0];
    point.loss *= factor;
    const Objective one = of_one({point}, {});
    return one.value(one.theta({planted_law()}));
  };
  EXPECT_NEAR(value_with_loss_times(std::exp(0.1)), 0.1 / 1e-3 - 0.5, 1e-6);
  EXPECT_NEAR(value_with_loss_times(std::exp(0.0005)), 0.5 * 0.25, 1e-6);
}

TEST(Objective, UnscaledIsTheSumOverThePointsAsPublished) {
  PointSet set = planted_points();
  set.points.resize(2);
  const double predicted[2] = {set.points[0].loss, set.points[1].loss};
  set.points[0].loss *= std::exp(-0.02);
  set.points[1].loss *= std::exp(0.0005);
  const Objective huber = of_one(set.points, {.delta = 1e-3});
  const Objective squares = of_one(set.points, {.kind = FitLoss::Kind::l2});
  EXPECT_NEAR(huber.unscaled(huber.value(huber.theta({planted_law()}))), 1e-3 * (0.02 - 0.5e-3) + 0.5 * 0.0005 * 0.0005,
              1e-12);
  const double first = predicted[0] - set.points[0].loss, second = predicted[1] - set.points[1].loss;
  EXPECT_NEAR(squares.unscaled(squares.value(squares.theta({planted_law()}))), first * first + second * second, 1e-12);
}

TEST(Objective, GradientsOfThePointsSumToTheGradient) {
  for (const FitLoss loss : kLosses) {
    const Objective objective = of_one(planted_points().points, loss);
    Theta sum(5), gradient;
    for (const auto& one : objective.shares(kSomewhere))
      for (size_t i = 0; i < 5; ++i) sum[i] += one.slope * one.by_theta[i];
    objective.value_and_gradient(kSomewhere, gradient);
    for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(sum[i] / gradient[i], 1, 1e-9);
  }
}

TEST(Objective, JacobianAgreesWithDifferencesOfTheLaw) {
  const Objective objective = of_one(planted_points().points, {});
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
