#pragma once

#include <array>
#include <vector>

#include "analysis/points.h"

namespace hyscale::analysis {

/// The numbers of a law in the order of LawNumbers.
enum LawNumber : size_t { kE, kA, kB, kAlpha, kBeta, kSizeExponent, kTokenExponent };
using LawNumbers = std::array<double, 7>;
inline constexpr std::array<const char*, 7> kLawNames = {"E", "A", "B", "alpha", "beta", "a", "b"};

/// L(N, D) = E + A / N^alpha + B / D^beta, in nats per token (Hoffmann et al. 2022, approach 3).
struct ChinchillaLaw {
  double e = 0, a = 0, b = 0;  // E, A, B
  double alpha = 0, beta = 0;
  double loss(double n, double d) const;
  double size_exponent() const { return beta / (alpha + beta); }    // N* ~ C^a
  double token_exponent() const { return alpha / (alpha + beta); }  // D* ~ C^b, both under C ~ N D
  LawNumbers numbers() const { return {e, a, b, alpha, beta, size_exponent(), token_exponent()}; }
};

/// The fit's parameters: logarithms of E and of the two terms at the data's geometric centre, then the exponents.
/// Centring takes the condition number down by orders of magnitude.
using Theta = std::array<double, 5>;  // ln E, ln(A / N0^alpha), ln(B / D0^beta), alpha, beta

/// What is summed over the points: Huber_delta(ln predicted - ln measured), or the squares of predicted - measured.
struct FitLoss {
  enum class Kind { huber, l2 } kind = Kind::huber;
  double delta = 1e-3;  // of huber
};
const char* name_of(FitLoss::Kind kind);  // "huber"

/// That sum, scaled so that it is of order one (`unscaled` takes it back): its value, gradient and Hessian are analytic
/// (log-sum-exp of three linear forms).
class ChinchillaObjective {
 public:
  ChinchillaObjective(const std::vector<Point>& points, const FitLoss& loss);

  double value(const Theta& theta) const;
  double value_and_gradient(const Theta& theta, Theta& gradient) const;
  void hessian(const Theta& theta, std::array<Theta, 5>& hessian) const;
  /// One point's share of it: `slope` times `by_theta` is its gradient, `bend` by_theta by_theta^T the part of its
  /// Hessian that counts near the law.
  struct Share {
    Theta by_theta;
    double slope, bend;
  };
  std::vector<Share> shares(const Theta& theta) const;
  double unscaled(double value) const { return value / scale_; }

  ChinchillaLaw law(const Theta& theta) const;
  Theta theta(const ChinchillaLaw& law) const;
  /// d numbers / d theta at theta: how small changes of theta move E, A, B, alpha, beta, a, b.
  std::array<Theta, 7> jacobian(const Theta& theta) const;

 private:
  struct Row {
    double x, y, z;  // centred ln N, centred ln D, ln loss
  };
  struct Misfit {
    double value, slope, bend;  // of one point, by the logarithm of its predicted loss
  };
  Misfit misfit(double log_loss, const Row& row) const;
  struct Prediction {
    double log_loss;
    std::array<double, 3> share;  // of E, the N term and the D term in the predicted loss
  };
  static Prediction predict(const Theta& theta, const Row& row);
  static Theta slope(const Prediction& at, const Row& row);  // of the logarithm of the predicted loss

  std::vector<Row> rows_;
  double center_n_ = 0, center_d_ = 0;
  FitLoss loss_;
  double scale_;
};

}  // namespace hyscale::analysis
