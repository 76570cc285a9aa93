#pragma once

#include "analysis/layout.h"

namespace hyscale::analysis {

/// FitLoss summed over the points of one or several families, scaled so that it is of order one (`unscaled` takes it
/// back). Value, gradient and Hessian are analytic: ln L is the log-sum-exp of ln E and gamma times the log-sum-exp of
/// two forms that are linear in theta.
class Objective {
 public:
  /// `families[f]` are the points of family f.
  Objective(const std::vector<std::vector<Point>>& families, const Form& form, Joint joint, const FitLoss& loss);

  size_t size() const { return layout_.size(); }
  size_t families() const { return layout_.families(); }
  double value(const Theta& theta) const;
  double value_and_gradient(const Theta& theta, Theta& gradient) const;
  /// `hessian` becomes row-major, size() x size().
  double all(const Theta& theta, Theta& gradient, std::vector<double>& hessian) const;

  /// One point's share of it: `slope` times `by_theta` is its gradient, `bend` by_theta by_theta^T the part of its
  /// Hessian that counts near the law.
  struct Share {
    Theta by_theta;
    double slope, bend;
  };
  std::vector<Share> shares(const Theta& theta) const;  // in the order of the points
  double unscaled(double value) const { return value / scale_; }

  /// The same sum with weights, in the order of the points; those of weight 0 cost nothing.
  Objective weighted(const std::vector<double>& weights) const;

  ScalingLaw law(const Theta& theta, size_t family = 0) const;
  Theta theta(const std::vector<ScalingLaw>& laws) const;
  /// d numbers / d theta of one family's law: how small changes of theta move E, A, B, …
  std::array<Theta, std::tuple_size_v<LawNumbers>> jacobian(const Theta& theta, size_t family = 0) const;

 private:
  struct Row {
    double x, y, z;  // centred ln N, centred ln D, ln loss
    std::array<double, 2> covariates;
    double weight;
    size_t family;
  };
  struct Misfit {
    double value, slope, bend;  // of one point, by the logarithm of its predicted loss
  };
  struct Prediction;
  template <bool kWithHessian, size_t kUsed>
  double sums(const Theta& theta, Theta& gradient, std::vector<double>* hessian) const;
  Misfit misfit(double log_loss, const Row& row) const;

  std::vector<Row> rows_;
  Layout layout_;
  double center_n_ = 0, center_d_ = 0;
  FitLoss loss_;
  double scale_;
};

}  // namespace hyscale::analysis
