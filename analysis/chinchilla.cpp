#include "analysis/chinchilla.h"

#include <algorithm>
#include <cmath>

namespace hyscale::analysis {

double ChinchillaLaw::loss(double n, double d) const { return e + a * std::pow(n, -alpha) + b * std::pow(d, -beta); }

const char* name_of(FitLoss::Kind kind) { return kind == FitLoss::Kind::huber ? "huber" : "l2"; }

static constexpr double kSquaresScale = 1e6;  // losses are known to a thousandth

ChinchillaObjective::ChinchillaObjective(const std::vector<Point>& points, const FitLoss& loss)
    : loss_(loss), scale_(loss.kind == FitLoss::Kind::huber ? 1 / (loss.delta * loss.delta) : kSquaresScale) {
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

ChinchillaObjective::Misfit ChinchillaObjective::misfit(double log_loss, const Row& row) const {
  if (loss_.kind == FitLoss::Kind::l2) {
    const double predicted = std::exp(log_loss), residual = predicted - std::exp(row.z);
    return {scale_ * residual * residual, 2 * scale_ * residual * predicted,
            2 * scale_ * predicted * (predicted + residual)};
  }
  const double u = (log_loss - row.z) / loss_.delta;
  if (std::abs(u) <= 1) return {0.5 * u * u, u / loss_.delta, scale_};
  return {std::abs(u) - 0.5, std::copysign(1 / loss_.delta, u), 0};
}

Theta ChinchillaObjective::slope(const Prediction& at, const Row& row) {
  return {at.share[0], at.share[1], at.share[2], -at.share[1] * row.x, -at.share[2] * row.y};
}

double ChinchillaObjective::value(const Theta& theta) const {
  double sum = 0;
  for (const Row& row : rows_) sum += misfit(predict(theta, row).log_loss, row).value;
  return sum;
}

double ChinchillaObjective::value_and_gradient(const Theta& theta, Theta& gradient) const {
  gradient.fill(0);
  double sum = 0;
  for (const Row& row : rows_) {
    const Prediction at = predict(theta, row);
    const Misfit miss = misfit(at.log_loss, row);
    const Theta by_theta = slope(at, row);
    sum += miss.value;
    for (size_t i = 0; i < 5; ++i) gradient[i] += miss.slope * by_theta[i];
  }
  return sum;
}

std::vector<ChinchillaObjective::Share> ChinchillaObjective::shares(const Theta& theta) const {
  std::vector<Share> all;
  for (const Row& row : rows_) {
    const Prediction at = predict(theta, row);
    const Misfit miss = misfit(at.log_loss, row);
    all.push_back({slope(at, row), miss.slope, miss.bend});
  }
  return all;
}

void ChinchillaObjective::hessian(const Theta& theta, std::array<Theta, 5>& hessian) const {
  for (Theta& line : hessian) line.fill(0);
  for (const Row& row : rows_) {
    const Prediction at = predict(theta, row);
    const Misfit miss = misfit(at.log_loss, row);
    const Theta by_theta = slope(at, row);
    // each form is linear in theta: row k of `form` is its derivative
    const std::array<Theta, 3> form = {{{1, 0, 0, 0, 0}, {0, 1, 0, -row.x, 0}, {0, 0, 1, 0, -row.y}}};
    for (size_t i = 0; i < 5; ++i)
      for (size_t j = 0; j < 5; ++j) {
        double bend = -by_theta[i] * by_theta[j];
        for (size_t k = 0; k < 3; ++k) bend += at.share[k] * form[k][i] * form[k][j];
        hessian[i][j] += miss.bend * by_theta[i] * by_theta[j] + miss.slope * bend;
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

std::array<Theta, 7> ChinchillaObjective::jacobian(const Theta& theta) const {
  const ChinchillaLaw at = law(theta);
  const double sum = at.alpha + at.beta, by_alpha = -at.beta / (sum * sum), by_beta = at.alpha / (sum * sum);
  return {{{at.e, 0, 0, 0, 0},
           {0, at.a, 0, at.a * center_n_, 0},
           {0, 0, at.b, 0, at.b * center_d_},
           {0, 0, 0, 1, 0},
           {0, 0, 0, 0, 1},
           {0, 0, 0, by_alpha, by_beta},
           {0, 0, 0, -by_alpha, -by_beta}}};
}

}  // namespace hyscale::analysis
