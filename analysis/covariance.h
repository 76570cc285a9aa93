#pragma once

#include <array>
#include <vector>

#include "analysis/chinchilla.h"

namespace hyscale::analysis {

/// Of a fit's numbers (E, A, B, alpha, beta, a, b), to first order.
struct LawCovariance {
  bool known = false;  // the curvature at the minimum is positive, and there are more clusters than parameters
  LawNumbers standard_error{};
  std::array<std::array<double, 5>, 5> correlation{};  // of E, A, B, alpha, beta
};

/// The delta method on the cluster-robust ("sandwich") covariance of an M-estimator, H^-1 (sum over clusters of the
/// squared sums of their points' gradients) H^-1 (Liang and Zeger 1986), each cluster's residuals freed of its pull on
/// the fit (CR2: Bell and McCaffrey 2002), without which few runs claim a third too little. `points` are those of the
/// objective, in its order.
LawCovariance covariance(const ChinchillaObjective& objective, const Theta& theta, const std::vector<Point>& points);

}  // namespace hyscale::analysis
