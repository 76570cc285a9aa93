#include "analysis/covariance.h"

#include <Eigen/Dense>
#include <cmath>
#include <map>

namespace hyscale::analysis {
namespace {

using Matrix = Eigen::Matrix<double, 5, 5>;
using Vector = Eigen::Matrix<double, 5, 1>;
using Share = ChinchillaObjective::Share;

constexpr double kLeastFreedom = 0.05;  // of a residual; a cluster that holds a parameter alone has none

Matrix hessian_of(const ChinchillaObjective& objective, const Theta& theta) {
  std::array<Theta, 5> rows{};
  objective.hessian(theta, rows);
  return Eigen::Map<const Eigen::Matrix<double, 5, 5, Eigen::RowMajor>>(rows.front().data());
}

// The sum of a cluster's gradients, its residuals multiplied by (I - leverage)^-1/2.
Vector gradient_of(const std::vector<Share>& cluster, const Matrix& inverse) {
  const auto count = static_cast<Eigen::Index>(cluster.size());
  Eigen::Matrix<double, Eigen::Dynamic, 5> lever(count, 5);
  Eigen::VectorXd residual(count);
  Vector unlevered = Vector::Zero();  // of points beyond Huber's threshold: they do not move with the fit
  for (Eigen::Index i = 0; i < count; ++i) {
    const Share& share = cluster[static_cast<size_t>(i)];
    const Eigen::Map<const Vector> by_theta(share.by_theta.data());
    const double root = std::sqrt(std::max(share.bend, 0.0));
    lever.row(i) = root * by_theta;
    residual(i) = root > 0 ? share.slope / root : 0;
    if (root == 0) unlevered += share.slope * by_theta;
  }
  const Eigen::MatrixXd freedom = Eigen::MatrixXd::Identity(count, count) - lever * inverse * lever.transpose();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> parts(freedom);
  const Eigen::VectorXd factor = parts.eigenvalues().cwiseMax(kLeastFreedom).cwiseSqrt().cwiseInverse();
  const Eigen::VectorXd freed = parts.eigenvectors() * factor.cwiseProduct(parts.eigenvectors().transpose() * residual);
  return unlevered + lever.transpose() * freed;
}

Matrix middle_of(const std::vector<Share>& shares, const std::vector<Point>& points, const Matrix& inverse,
                 size_t& clusters) {
  std::map<std::string, std::vector<Share>> groups;
  for (size_t i = 0; i < points.size(); ++i) groups[points[i].cluster].push_back(shares[i]);
  Matrix middle = Matrix::Zero();
  for (const auto& [name, group] : groups) {
    const Vector gradient = gradient_of(group, inverse);
    middle += gradient * gradient.transpose();
  }
  clusters = groups.size();
  return middle;
}

}  // namespace

LawCovariance covariance(const ChinchillaObjective& objective, const Theta& theta, const std::vector<Point>& points) {
  LawCovariance result;
  const Eigen::LLT<Matrix> factor(hessian_of(objective, theta));
  if (factor.info() != Eigen::Success) return result;
  const Matrix inverse = factor.solve(Matrix::Identity());
  size_t clusters = 0;
  const Matrix of_theta = inverse * middle_of(objective.shares(theta), points, inverse, clusters) * inverse;
  result.known = clusters > 5;
  if (!result.known) return result;

  const std::array<Theta, 7> jacobian = objective.jacobian(theta);
  const auto row = [&](size_t i) { return Eigen::Map<const Vector>(jacobian[i].data()); };
  for (size_t i = 0; i < 7; ++i) result.standard_error[i] = std::sqrt(row(i).dot(of_theta * row(i)));
  for (size_t i = 0; i < 5; ++i)
    for (size_t j = 0; j < 5; ++j)
      result.correlation[i][j] = row(i).dot(of_theta * row(j)) / (result.standard_error[i] * result.standard_error[j]);
  return result;
}

}  // namespace hyscale::analysis
