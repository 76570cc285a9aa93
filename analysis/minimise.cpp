#include "analysis/minimise.h"

#include <Eigen/Dense>
#include <algorithm>
#include <ceres/gradient_problem.h>
#include <ceres/gradient_problem_solver.h>
#include <cmath>
#include <limits>

namespace hyscale::analysis {
namespace {

using Matrix = Eigen::Matrix<double, 5, 5>;
using Vector = Eigen::Matrix<double, 5, 1>;

class CeresForm : public ceres::FirstOrderFunction {
 public:
  explicit CeresForm(const ChinchillaObjective& objective) : objective_(objective) {}
  int NumParameters() const override { return 5; }
  bool Evaluate(const double* parameters, double* cost, double* gradient) const override {
    Theta theta{}, slope{};
    std::copy_n(parameters, 5, theta.begin());
    *cost = objective_.value_and_gradient(theta, slope);
    if (gradient != nullptr) std::copy_n(slope.begin(), 5, gradient);
    return std::isfinite(*cost);
  }

 private:
  const ChinchillaObjective& objective_;
};

Theta bfgs(const ChinchillaObjective& objective, const Theta& start) {
  ceres::GradientProblemSolver::Options options;
  options.line_search_direction_type = ceres::BFGS;
  options.max_num_iterations = 300;
  options.function_tolerance = 1e-12;
  options.gradient_tolerance = 1e-9;
  options.parameter_tolerance = 1e-12;
  options.logging_type = ceres::SILENT;
  const ceres::GradientProblem problem(new CeresForm(objective));  // the problem owns it
  ceres::GradientProblemSolver::Summary summary;
  Theta theta = start;
  ceres::Solve(options, problem, theta.data(), &summary);
  return theta;
}

Matrix hessian_of(const ChinchillaObjective& objective, const Theta& theta) {
  std::array<Theta, 5> rows{};
  objective.hessian(theta, rows);
  Matrix matrix;
  for (int i = 0; i < 5; ++i)
    for (int j = 0; j < 5; ++j) matrix(i, j) = rows[static_cast<size_t>(i)][static_cast<size_t>(j)];
  return matrix;
}

}  // namespace

Minimum polish(const ChinchillaObjective& objective, const Theta& start) {
  constexpr int kNewtonSteps = 60;
  constexpr double kNoGain = 1e-16;  // of the value: below its rounding
  Minimum best{.theta = start};
  Theta gradient{};
  best.value = objective.value_and_gradient(best.theta, gradient);
  Matrix curvature = hessian_of(objective, best.theta);
  double damping = 1e-6;  // relative to the diagonal
  for (int step = 0; step < kNewtonSteps && damping < 1e8; ++step) {
    Matrix matrix = curvature;
    const double scale = std::max(matrix.diagonal().cwiseAbs().maxCoeff(), 1e-12);
    for (int i = 0; i < 5; ++i) matrix(i, i) += damping * std::max(std::abs(matrix(i, i)), 1e-9 * scale);
    const Eigen::Map<const Vector> downhill(gradient.data());
    const Vector move = matrix.ldlt().solve(-downhill);
    if (std::abs(downhill.dot(move)) <= kNoGain * best.value) break;
    Theta trial = best.theta, slope{};
    for (size_t i = 0; i < 5; ++i) trial[i] += move(static_cast<int>(i));
    const double value = objective.value_and_gradient(trial, slope);
    if (value < best.value) {
      best.theta = trial, best.value = value, gradient = slope;
      curvature = hessian_of(objective, best.theta);
      damping = std::max(damping / 10, 1e-14);
    } else {
      damping *= 10;
    }
  }
  for (const double component : gradient) best.gradient_norm = std::max(best.gradient_norm, std::abs(component));
  return best;
}

Minimum minimise(const ChinchillaObjective& objective, const Theta& start) {
  return polish(objective, bfgs(objective, start));
}

double condition_number(const ChinchillaObjective& objective, const Theta& theta) {
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(hessian_of(objective, theta), Eigen::EigenvaluesOnly);
  const double least = solver.eigenvalues()(0), most = solver.eigenvalues()(4);
  return least > 0 ? most / least : std::numeric_limits<double>::infinity();
}

}  // namespace hyscale::analysis
