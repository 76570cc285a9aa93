#include "analysis/covariance.h"

#include <Eigen/Dense>
#include <cmath>
#include <map>

namespace hyscale::analysis {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
using Share = Objective::Share;

constexpr double kLeastFreedom = 0.05;  // of a residual; a cluster that holds a parameter alone has none
constexpr size_t kLargestFreed = 200;   // points of a cluster; larger ones are summed as they are

Vector as_vector(const Theta& theta) {
  return Eigen::Map<const Vector>(theta.data(), static_cast<Eigen::Index>(theta.size()));
}

// The sum of a cluster's gradients, its residuals multiplied by (I - leverage)^-1/2.
Vector gradient_of(const std::vector<const Share*>& cluster, const Matrix& inverse) {
  Vector unlevered = Vector::Zero(inverse.rows());  // of points beyond Huber's threshold: they do not move with the fit
  if (cluster.size() > kLargestFreed) {
    for (const Share* share : cluster) unlevered += share->slope * as_vector(share->by_theta);
    return unlevered;
  }
  const auto count = static_cast<Eigen::Index>(cluster.size());
  Matrix lever(count, inverse.rows());
  Vector residual(count);
  for (Eigen::Index i = 0; i < count; ++i) {
    const Share& share = *cluster[static_cast<size_t>(i)];
    const Vector by_theta = as_vector(share.by_theta);
    const double root = std::sqrt(std::max(share.bend, 0.0));
    lever.row(i) = root * by_theta;
    residual(i) = root > 0 ? share.slope / root : 0;
    if (root == 0) unlevered += share.slope * by_theta;
  }
  const Matrix freedom = Matrix::Identity(count, count) - lever * inverse * lever.transpose();
  const Eigen::SelfAdjointEigenSolver<Matrix> parts(freedom);
  const Vector factor = parts.eigenvalues().cwiseMax(kLeastFreedom).cwiseSqrt().cwiseInverse();
  const Vector freed = parts.eigenvectors() * factor.cwiseProduct(parts.eigenvectors().transpose() * residual);
  return unlevered + lever.transpose() * freed;
}

Matrix middle_of(const std::vector<Share>& shares, const std::vector<std::string>& clusters, const Matrix& inverse,
                 size_t& count) {
  std::map<std::string, std::vector<const Share*>> groups;
  for (size_t i = 0; i < shares.size(); ++i) groups[clusters[i]].push_back(&shares[i]);
  Matrix middle = Matrix::Zero(inverse.rows(), inverse.cols());
  for (const auto& [name, group] : groups) {
    const Vector gradient = gradient_of(group, inverse);
    middle += gradient * gradient.transpose();
  }
  count = groups.size();
  return middle;
}

LawCovariance of_family(const Objective& objective, const Theta& theta, size_t family, const Matrix& of_theta) {
  LawCovariance result{.known = true};
  const auto jacobian = objective.jacobian(theta, family);
  std::vector<Vector> rows;
  for (const Theta& row : jacobian) rows.push_back(as_vector(row));
  for (size_t i = 0; i < rows.size(); ++i) result.standard_error[i] = std::sqrt(rows[i].dot(of_theta * rows[i]));
  for (size_t i = 0; i < 5; ++i)
    for (size_t j = 0; j < 5; ++j) {
      const double scale = result.standard_error[i] * result.standard_error[j];
      result.correlation[i][j] = scale > 0 ? rows[i].dot(of_theta * rows[j]) / scale : 0;
    }
  return result;
}

}  // namespace

std::vector<LawCovariance> covariances(const Objective& objective, const Theta& theta,
                                       const std::vector<std::string>& clusters) {
  std::vector<LawCovariance> results(objective.families());
  Theta gradient;
  std::vector<double> hessian;
  objective.all(theta, gradient, hessian);
  const auto size = static_cast<Eigen::Index>(objective.size());
  const Matrix curvature = Eigen::Map<const Matrix>(hessian.data(), size, size);
  const Eigen::LLT<Matrix> factor(curvature);
  if (factor.info() != Eigen::Success) return results;
  const Matrix inverse = factor.solve(Matrix::Identity(size, size));
  size_t count = 0;
  const Matrix of_theta = inverse * middle_of(objective.shares(theta), clusters, inverse, count) * inverse;
  if (count <= objective.size()) return results;
  for (size_t f = 0; f < results.size(); ++f) results[f] = of_family(objective, theta, f, of_theta);
  return results;
}

}  // namespace hyscale::analysis
