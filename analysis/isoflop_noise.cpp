#include "analysis/isoflop_noise.h"

#include <Eigen/Sparse>
#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_map>

#include "analysis/least_squares.h"

namespace hyscale::analysis {
namespace {

using Index = Eigen::Index;
using Matrix = Eigen::MatrixXd;

constexpr double kLeastSteepness = 1e-6;  // below, parabolas leave nothing of what clusters share: one cluster a budget

// The fitted points by cluster: how many each has, what the residuals sum up to in it, and what the columns of the
// curves' orthonormal bases do ([clusters, 3 curves]).
struct ByCluster {
  std::vector<double> members, residuals;
  Eigen::SparseMatrix<double> bases;
  double squares = 0;  // of all residuals
  double points = 0;

  explicit ByCluster(const std::vector<IsoFlopCurve>& curves) {
    std::unordered_map<std::string_view, size_t> places;
    std::vector<Eigen::Triplet<double>> entries;
    Index columns = 0;
    for (const IsoFlopCurve& curve : curves) {
      if (!curve.fitted) continue;
      const QuadraticBasis basis(curve.parabola.places(curve.points));
      for (size_t i = 0; i < curve.points.size(); ++i) {
        const size_t cluster = places.emplace(curve.points[i].cluster, members.size()).first->second;
        if (cluster == members.size()) members.push_back(0), residuals.push_back(0);
        const double residual = curve.points[i].loss - curve.parabola.at(curve.points[i].n);
        members[cluster] += 1, residuals[cluster] += residual;
        squares += residual * residual, points += 1;
        for (Index k = 0; k < 3; ++k)
          entries.emplace_back(static_cast<Index>(cluster), columns + k, basis.orthonormal()(static_cast<Index>(i), k));
      }
      columns += 3;
    }
    bases.resize(static_cast<Index>(members.size()), columns);
    bases.setFromTriplets(entries.begin(), entries.end());
  }
};

// Traces of K M and K M K M, M what the parabolas leave of a vector.
struct Traces {
  double km = 0, kmkm = 0;
  explicit Traces(const ByCluster& by) {
    const Matrix between = Matrix(by.bases.transpose() * by.bases) - Matrix::Identity(by.bases.cols(), by.bases.cols());
    km = -between.trace();
    for (const double count : by.members) kmkm += count * (count - 1);
    for (Index column = 0; column < by.bases.outerSize(); ++column) {
      kmkm -= 2;
      for (Eigen::SparseMatrix<double>::InnerIterator at(by.bases, column); at; ++at)
        kmkm -= 2 * (by.members[static_cast<size_t>(at.row())] - 2) * at.value() * at.value();
    }
    kmkm += between.squaredNorm();
  }
};

}  // namespace

IsoFlopNoise noise_about(const std::vector<IsoFlopCurve>& curves) {
  const ByCluster by(curves);
  const double freedom = by.points - static_cast<double>(by.bases.cols());
  IsoFlopNoise noise{.degrees_of_freedom = static_cast<int>(freedom), .effective_freedom = freedom};
  if (freedom <= 0) return noise;
  if (by.members.size() < static_cast<size_t>(by.points)) {
    const Traces trace(by);
    double products = -by.squares;
    for (const double sum : by.residuals) products += sum * sum;
    const double steepness = by.squares * trace.kmkm - products * trace.km;
    if (steepness > kLeastSteepness * by.squares * trace.kmkm)
      noise.shared = std::clamp((products * freedom - by.squares * trace.km) / steepness, 0.0, 1.0);
    const double expected = freedom + noise.shared * trace.km;
    const double spread = freedom + noise.shared * (2 * trace.km + noise.shared * trace.kmkm);
    noise.effective_freedom = std::clamp(expected * expected / spread, 1.0, freedom);
    noise.deviation = std::sqrt(by.squares / expected);
  } else {
    noise.deviation = std::sqrt(by.squares / freedom);
  }
  return noise;
}

}  // namespace hyscale::analysis
