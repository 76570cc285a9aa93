#include "analysis/chinchilla.h"

#include <algorithm>
#include <cmath>

namespace hyscale::analysis {

double ChinchillaLaw::loss(double n, double d) const { return e + a * std::pow(n, -alpha) + b * std::pow(d, -beta); }

ChinchillaObjective::ChinchillaObjective(const std::vector<Point>& points, double delta) : delta_(delta) {
  for (const Point& point : points) {
    center_n_ += std::log(point.n) / static_cast<double>(points.size());
    center_d_ += std::log(point.d) / static_cast<double>(points.size());
  }
  for (const Point& point : points)
    rows_.push_back({std::log(point.n) - center_n_, std::log(point.d) - center_d_, std::log(point.loss)});
}

ChinchillaObjective::Prediction ChinchillaObjective::predict(const Theta& theta, const Row& row) {
  const std::array<double, 3> form = {theta[0], theta[1] - theta[3] * row.x, theta[2] - theta[4] * row.y};
  const double top = std::max({form[0], form[1], form[2]});
  std::array<double, 3> share{};
  double sum = 0;
  for (size_t k = 0; k < 3; ++k) sum += share[k] = std::exp(form[k] - top);
  for (double& s : share) s /= sum;
  return {top + std::log(sum), share};
}

double ChinchillaObjective::value(const Theta& theta) const {
  double sum = 0;
  for (const Row& row : rows_) {
    const double u = std::abs(predict(theta, row).log_loss - row.z) / delta_;
    sum += u <= 1 ? 0.5 * u * u : u - 0.5;
  }
  return sum;
}

double ChinchillaObjective::value_and_gradient(const Theta& theta, Theta& gradient) const {
  gradient.fill(0);
  double sum = 0;
  for (const Row& row : rows_) {
    const auto [log_loss, share] = predict(theta, row);
    const double u = (log_loss - row.z) / delta_;
    sum += std::abs(u) <= 1 ? 0.5 * u * u : std::abs(u) - 0.5;
    const double pull = std::clamp(u, -1.0, 1.0) / delta_;
    gradient[0] += pull * share[0];
    gradient[1] += pull * share[1];
    gradient[2] += pull * share[2];
    gradient[3] -= pull * share[1] * row.x;
    gradient[4] -= pull * share[2] * row.y;
  }
  return sum;
}

void ChinchillaObjective::hessian(const Theta& theta, std::array<Theta, 5>& hessian) const {
  for (Theta& line : hessian) line.fill(0);
  for (const Row& row : rows_) {
    const auto [log_loss, share] = predict(theta, row);
    const double u = (log_loss - row.z) / delta_;
    const double pull = std::clamp(u, -1.0, 1.0) / delta_;
    const double curvature = std::abs(u) <= 1 ? 1 / (delta_ * delta_) : 0;
    // each form is linear in theta: row k of `form` is its derivative
    const std::array<Theta, 3> form = {{{1, 0, 0, 0, 0}, {0, 1, 0, -row.x, 0}, {0, 0, 1, 0, -row.y}}};
    Theta slope{};
    for (size_t k = 0; k < 3; ++k)
      for (size_t i = 0; i < 5; ++i) slope[i] += share[k] * form[k][i];
    for (size_t i = 0; i < 5; ++i)
      for (size_t j = 0; j < 5; ++j) {
        double bend = -slope[i] * slope[j];
        for (size_t k = 0; k < 3; ++k) bend += share[k] * form[k][i] * form[k][j];
        hessian[i][j] += curvature * slope[i] * slope[j] + pull * bend;
      }
  }
}

ChinchillaLaw ChinchillaObjective::law(const Theta& theta) const {
  return {.e = std::exp(theta[0]),
          .a = std::exp(theta[1] + theta[3] * center_n_),
          .b = std::exp(theta[2] + theta[4] * center_d_),
          .alpha = theta[3],
          .beta = theta[4]};
}

Theta ChinchillaObjective::theta(const ChinchillaLaw& law) const {
  return {std::log(law.e), std::log(law.a) - law.alpha * center_n_, std::log(law.b) - law.beta * center_d_, law.alpha,
          law.beta};
}

}  // namespace hyscale::analysis
