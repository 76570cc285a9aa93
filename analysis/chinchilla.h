#pragma once

#include <array>
#include <vector>

#include "analysis/points.h"

namespace hyscale::analysis {

/// L(N, D) = E + A / N^alpha + B / D^beta, in nats per token (Hoffmann et al. 2022, approach 3).
struct ChinchillaLaw {
  double e = 0, a = 0, b = 0;  // E, A, B
  double alpha = 0, beta = 0;
  double loss(double n, double d) const;
  double size_exponent() const { return beta / (alpha + beta); }    // N* ~ C^a
  double token_exponent() const { return alpha / (alpha + beta); }  // D* ~ C^b, both under C ~ N D
};

/// The fit's parameters: logarithms of E and of the two terms at the data's geometric centre, then the exponents.
/// Centring takes the condition number down by orders of magnitude.
using Theta = std::array<double, 5>;  // ln E, ln(A / N0^alpha), ln(B / D0^beta), alpha, beta

/// Sum of Huber losses of ln(predicted) - ln(measured), divided by delta^2 so that it is of order one: its value,
/// gradient and Hessian are analytic (log-sum-exp of three linear forms).
class ChinchillaObjective {
 public:
  ChinchillaObjective(const std::vector<Point>& points, double delta);

  double value(const Theta& theta) const;
  double value_and_gradient(const Theta& theta, Theta& gradient) const;
  void hessian(const Theta& theta, std::array<Theta, 5>& hessian) const;

  ChinchillaLaw law(const Theta& theta) const;
  Theta theta(const ChinchillaLaw& law) const;

 private:
  struct Row {
    double x, y, z;  // centred ln N, centred ln D, ln loss
  };
  struct Prediction {
    double log_loss;
    std::array<double, 3> share;  // of E, the N term and the D term in the predicted loss
  };
  static Prediction predict(const Theta& theta, const Row& row);

  std::vector<Row> rows_;
  double center_n_ = 0, center_d_ = 0, delta_;
};

}  // namespace hyscale::analysis
