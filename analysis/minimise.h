#pragma once

#include "analysis/objective.h"

namespace hyscale::analysis {

struct Minimum {
  Theta theta{};
  double value = 0;
  double gradient_norm = 0;  // largest component
};

/// BFGS (Ceres) from one start, then `polish`.
Minimum minimise(const Objective& objective, const Theta& start);

/// Damped Newton steps with the analytic Hessian until none lowers the value: the Huber loss is piecewise quadratic
/// near its minimum, so that the last steps are exact. Enough alone from a start near the minimum.
Minimum polish(const Objective& objective, const Theta& start);

/// Ratio of the largest to the smallest eigenvalue of the Hessian; infinite when it is not positive definite.
double condition_number(const Objective& objective, const Theta& theta);

}  // namespace hyscale::analysis
