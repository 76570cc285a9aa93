#include "analysis/objective.h"

#include <algorithm>
#include <cmath>

namespace hyscale::analysis {

static constexpr double kSquaresScale = 1e6;  // losses are known to a thousandth

Objective::Objective(const std::vector<std::vector<Point>>& families, const Form& form, Joint joint,
                     const FitLoss& loss)
    : layout_(form, joint, families.size()),
      loss_(loss),
      scale_(loss.kind == FitLoss::Kind::huber ? 1 / (loss.delta * loss.delta) : kSquaresScale) {
  size_t count = 0;
  for (const auto& points : families) count += points.size();
  for (const auto& points : families)
    for (const Point& point : points) {
      center_n_ += std::log(point.n) / static_cast<double>(count);
      center_d_ += std::log(point.d) / static_cast<double>(count);
    }
  for (size_t f = 0; f < families.size(); ++f)
    for (const Point& point : families[f])
      rows_.push_back({std::log(point.n) - center_n_, std::log(point.d) - center_d_, std::log(point.loss),
                       point.covariates, 1.0, f});
}

Objective Objective::weighted(const std::vector<double>& weights) const {
  Objective copy = *this;
  copy.rows_.clear();
  for (size_t i = 0; i < rows_.size(); ++i)
    if (weights[i] > 0) {
      copy.rows_.push_back(rows_[i]);
      copy.rows_.back().weight = weights[i];
    }
  return copy;
}

namespace {

struct LogSum {
  double log_sum, first, second;  // of two summands given by their logarithms
};
LogSum log_sum_of(double x, double y) {
  const double ratio = std::exp(-std::abs(x - y)), larger = 1 / (1 + ratio), smaller = ratio * larger;
  return {std::max(x, y) + std::log(1 + ratio), x >= y ? larger : smaller, x >= y ? smaller : larger};
}

}  // namespace

struct Objective::Prediction {
  double log_loss;
  double p;          // share of the reducible loss in the whole
  double u, s1, s2;  // ln of the two terms' sum, and their shares in it
  double gamma;

  Prediction(const Slots& slots, const Row& row) : gamma(slots[kSlotGamma]) {
    const LogSum terms = log_sum_of(slots[kLnA] - slots[kSlotAlpha] * row.x,
                                    slots[kLnB] - slots[kSlotBeta] * row.y - slots[kSlotDelta] * row.x);
    u = terms.log_sum, s1 = terms.first, s2 = terms.second;
    const double reducible = gamma * u + slots[kSlotKappa] * row.covariates[0] + slots[kSlotKappa2] * row.covariates[1];
    const LogSum whole = log_sum_of(slots[kLnE], reducible);
    log_loss = whole.log_sum, p = whole.second;
  }
  // d log_loss / d slots, and of what stands beside E in the log-sum-exp
  void slopes(const Row& row, Slots& whole, Slots& reducible) const {
    const double first = gamma * s1, second = gamma * s2;
    reducible = {
        0, first, second, -first * row.x, -second * row.y, u, -second * row.x, row.covariates[0], row.covariates[1]};
    for (size_t i = 0; i < kSlots; ++i) whole[i] = p * reducible[i];
    whole[kLnE] = 1 - p;
  }
};

Objective::Misfit Objective::misfit(double log_loss, const Row& row) const {
  if (loss_.kind == FitLoss::Kind::l2) {
    const double predicted = std::exp(log_loss), residual = predicted - std::exp(row.z), scale = scale_ * row.weight;
    return {scale * residual * residual, 2 * scale * residual * predicted,
            2 * scale * predicted * (predicted + residual)};
  }
  const double u = (log_loss - row.z) / loss_.delta;
  if (std::abs(u) <= 1) return {0.5 * row.weight * u * u, row.weight * u / loss_.delta, row.weight * scale_};
  return {row.weight * (std::abs(u) - 0.5), row.weight * std::copysign(1 / loss_.delta, u), 0};
}

double Objective::value(const Theta& theta) const {
  std::vector<Slots> slots;
  for (size_t f = 0; f < families(); ++f) slots.push_back(layout_.slots(theta, f));
  double sum = 0;
  for (const Row& row : rows_) sum += misfit(Prediction(slots[row.family], row).log_loss, row).value;
  return sum;
}

template <bool kWithHessian, size_t kUsed>
double Objective::sums(const Theta& theta, Theta& gradient, std::vector<double>* hessian) const {
  struct Sums {
    Slots gradient{};
    std::array<Slots, kSlots> hessian{};
  };
  std::vector<Slots> slots;
  for (size_t f = 0; f < families(); ++f) slots.push_back(layout_.slots(theta, f));
  std::vector<Sums> of(families());
  double value = 0;
  for (const Row& row : rows_) {
    const Prediction at(slots[row.family], row);
    const Misfit miss = misfit(at.log_loss, row);
    value += miss.value;
    Slots whole, reducible;
    at.slopes(row, whole, reducible);
    Sums& to = of[row.family];
    for (size_t i = 0; i < kUsed; ++i) to.gradient[i] += miss.slope * whole[i];
    if constexpr (kWithHessian) {
      const Slots apart = {0, 1, -1, -row.x, row.y, 0, row.x, 0, 0};  // first term's form less the second's
      reducible[kLnE] = -1;
      const double between = miss.slope * at.p * (1 - at.p), within = miss.slope * at.p * at.gamma * at.s1 * at.s2;
      for (size_t i = 0; i < kUsed; ++i) {
        const double b = miss.bend * whole[i], q = between * reducible[i], r = within * apart[i];
        for (size_t j = 0; j <= i; ++j) to.hessian[i][j] += b * whole[j] + q * reducible[j] + r * apart[j];
      }
      if constexpr (kUsed > kSlotGamma) {  // gamma multiplies the terms' form
        const double mixed = miss.slope * at.p;
        to.hessian[kSlotGamma][kLnA] += mixed * at.s1, to.hessian[kSlotGamma][kLnB] += mixed * at.s2;
        to.hessian[kSlotGamma][kSlotAlpha] -= mixed * at.s1 * row.x;
        to.hessian[kSlotGamma][kSlotBeta] -= mixed * at.s2 * row.y;
        to.hessian[kSlotDelta][kSlotGamma] -= mixed * at.s2 * row.x;
      }
    }
  }
  gradient.assign(size(), 0.0);
  if constexpr (kWithHessian) hessian->assign(size() * size(), 0.0);
  for (size_t f = 0; f < families(); ++f)
    for (size_t i = 0; i < kUsed; ++i) {
      const int row = layout_.place(f, i);
      if (row < 0) continue;
      gradient[static_cast<size_t>(row)] += of[f].gradient[i];
      if constexpr (kWithHessian)
        for (size_t j = 0; j < kUsed; ++j)
          if (const int column = layout_.place(f, j); column >= 0)
            (*hessian)[static_cast<size_t>(row) * size() + static_cast<size_t>(column)] +=
                of[f].hessian[std::max(i, j)][std::min(i, j)];
    }
  return value;
}

double Objective::value_and_gradient(const Theta& theta, Theta& gradient) const {
  return layout_.used_slots() == 5 ? sums<false, 5>(theta, gradient, nullptr)
                                   : sums<false, kSlots>(theta, gradient, nullptr);
}

double Objective::all(const Theta& theta, Theta& gradient, std::vector<double>& hessian) const {
  return layout_.used_slots() == 5 ? sums<true, 5>(theta, gradient, &hessian)
                                   : sums<true, kSlots>(theta, gradient, &hessian);
}

std::vector<Objective::Share> Objective::shares(const Theta& theta) const {
  std::vector<Share> shares;
  for (const Row& row : rows_) {
    const Prediction at(layout_.slots(theta, row.family), row);
    const Misfit miss = misfit(at.log_loss, row);
    Slots whole, reducible;
    at.slopes(row, whole, reducible);
    Share& share = shares.emplace_back(Share{Theta(size(), 0.0), miss.slope, miss.bend});
    for (size_t slot = 0; slot < kSlots; ++slot)
      if (const int place = layout_.place(row.family, slot); place >= 0)
        share.by_theta[static_cast<size_t>(place)] += whole[slot];
  }
  return shares;
}

ScalingLaw Objective::law(const Theta& theta, size_t family) const {
  const Slots s = layout_.slots(theta, family);
  return {.e = std::exp(s[kLnE]),
          .a = std::exp(s[kLnA] + s[kSlotAlpha] * center_n_),
          .b = std::exp(s[kLnB] + s[kSlotBeta] * center_d_ + s[kSlotDelta] * center_n_),
          .alpha = s[kSlotAlpha],
          .beta = s[kSlotBeta],
          .gamma = s[kSlotGamma],
          .delta = s[kSlotDelta],
          .kappa = {s[kSlotKappa], s[kSlotKappa2]}};
}

Theta Objective::theta(const std::vector<ScalingLaw>& laws) const {
  std::vector<Slots> families;
  for (const ScalingLaw& law : laws)
    families.push_back({std::log(law.e), std::log(law.a) - law.alpha * center_n_,
                        std::log(law.b) - law.beta * center_d_ - law.delta * center_n_, law.alpha, law.beta, law.gamma,
                        law.delta, law.kappa[0], law.kappa[1]});
  return layout_.theta(families);
}

std::array<Theta, std::tuple_size_v<LawNumbers>> Objective::jacobian(const Theta& theta, size_t family) const {
  const ScalingLaw at = law(theta, family);
  const double sum = at.alpha + at.beta, by_alpha = -at.beta / (sum * sum), by_beta = at.alpha / (sum * sum);
  const std::array<Slots, std::tuple_size_v<LawNumbers>> by_slots = {{
      {at.e},
      {0, at.a, 0, at.a * center_n_},
      {0, 0, at.b, 0, at.b * center_d_, 0, at.b * center_n_},
      {0, 0, 0, 1},
      {0, 0, 0, 0, 1},
      {0, 0, 0, by_alpha, by_beta},
      {0, 0, 0, -by_alpha, -by_beta},
      {0, 0, 0, 0, 0, 1},
      {0, 0, 0, 0, 0, 0, 1},
      {0, 0, 0, 0, 0, 0, 0, 1},
      {0, 0, 0, 0, 0, 0, 0, 0, 1},
  }};
  std::array<Theta, std::tuple_size_v<LawNumbers>> jacobian;
  for (size_t number = 0; number < jacobian.size(); ++number) {
    jacobian[number].assign(size(), 0.0);
    for (size_t slot = 0; slot < kSlots; ++slot)
      if (const int place = layout_.place(family, slot); place >= 0)
        jacobian[number][static_cast<size_t>(place)] += by_slots[number][slot];
  }
  return jacobian;
}

}  // namespace hyscale::analysis
