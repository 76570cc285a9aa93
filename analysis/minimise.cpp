#include "analysis/minimise.h"

#include <Eigen/Dense>
#include <algorithm>
#include <ceres/gradient_problem.h>
#include <ceres/gradient_problem_solver.h>
#include <cmath>
#include <glog/logging.h>
#include <limits>

namespace hyscale::analysis {
namespace {

using Vector = Eigen::VectorXd;
using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

class CeresForm : public ceres::FirstOrderFunction {
 public:
  explicit CeresForm(const Objective& objective) : objective_(objective), theta_(objective.size()) {}
  int NumParameters() const override { return static_cast<int>(theta_.size()); }
  bool Evaluate(const double* parameters, double* cost, double* gradient) const override {
    std::copy_n(parameters, theta_.size(), theta_.begin());
    if (gradient == nullptr) {
      *cost = objective_.value(theta_);
    } else {
      *cost = objective_.value_and_gradient(theta_, slope_);
      std::copy(slope_.begin(), slope_.end(), gradient);
    }
    return std::isfinite(*cost);
  }

 private:
  const Objective& objective_;
  mutable Theta theta_, slope_;
};

Theta bfgs(const Objective& objective, const Theta& start) {
  FLAGS_minloglevel = google::GLOG_ERROR;  // a line search that finds a flat stretch is no news to a person
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

struct Place {
  Theta theta, gradient;
  std::vector<double> hessian;
  double value = 0;
  Place(const Objective& objective, Theta at) : theta(std::move(at)) {
    value = objective.all(theta, gradient, hessian);
  }
};

}  // namespace

Minimum polish(const Objective& objective, const Theta& start) {
  constexpr int kNewtonSteps = 200;
  constexpr double kNoGain = 1e-16;  // of the value: below its rounding
  const auto size = static_cast<Eigen::Index>(objective.size());
  Place best(objective, start);
  double damping = 1e-6;  // relative to the diagonal
  for (int step = 0; step < kNewtonSteps && damping < 1e8; ++step) {
    RowMatrix matrix = Eigen::Map<const RowMatrix>(best.hessian.data(), size, size);
    const double scale = std::max(matrix.diagonal().cwiseAbs().maxCoeff(), 1e-12);
    for (Eigen::Index i = 0; i < size; ++i) matrix(i, i) += damping * std::max(std::abs(matrix(i, i)), 1e-9 * scale);
    const Eigen::Map<const Vector> downhill(best.gradient.data(), size);
    const Vector move = matrix.ldlt().solve(-downhill);
    if (!move.allFinite() || std::abs(downhill.dot(move)) <= kNoGain * best.value) break;
    Theta trial = best.theta;
    for (size_t i = 0; i < trial.size(); ++i) trial[i] += move(static_cast<Eigen::Index>(i));
    if (objective.value(trial) < best.value) {
      best = Place(objective, std::move(trial));
      damping = std::max(damping / 10, 1e-14);
    } else {
      damping *= 10;
    }
  }
  Minimum minimum{.theta = best.theta, .value = best.value};
  for (const double part : best.gradient) minimum.gradient_norm = std::max(minimum.gradient_norm, std::abs(part));
  return minimum;
}

Minimum minimise(const Objective& objective, const Theta& start) { return polish(objective, bfgs(objective, start)); }

double condition_number(const Objective& objective, const Theta& theta) {
  const Place at(objective, theta);
  const auto size = static_cast<Eigen::Index>(objective.size());
  const Eigen::SelfAdjointEigenSolver<RowMatrix> solver(Eigen::Map<const RowMatrix>(at.hessian.data(), size, size),
                                                        Eigen::EigenvaluesOnly);
  const double least = solver.eigenvalues()(0), most = solver.eigenvalues()(size - 1);
  return least > 0 ? most / least : std::numeric_limits<double>::infinity();
}

}  // namespace hyscale::analysis
