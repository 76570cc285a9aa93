#pragma once

#include "analysis/objective.h"

namespace hyscale::analysis {

/// Of one family's numbers, to first order.
struct LawCovariance {
  bool known = false;  // the curvature at the minimum is positive, and there are more clusters than parameters
  LawNumbers standard_error{};
  std::array<std::array<double, 5>, 5> correlation{};  // of E, A, B, alpha, beta; 0 where one is fixed
};

/// The delta method on the cluster-robust ("sandwich") covariance of an M-estimator, H^-1 (sum over clusters of the
/// squared sums of their points' gradients) H^-1 (Liang and Zeger 1986), each cluster's residuals freed of its pull on
/// the fit (CR2: Bell and McCaffrey 2002), without which few runs claim a third too little. `clusters` name the
/// cluster of each of the objective's points, in its order. One result per family.
std::vector<LawCovariance> covariances(const Objective& objective, const Theta& theta,
                                       const std::vector<std::string>& clusters);

}  // namespace hyscale::analysis
