#include "analysis/law.h"

#include <cmath>

namespace hyscale::analysis {

double ScalingLaw::loss(double n, double d, const std::array<double, 2>& covariates) const {
  const double terms = a * std::pow(n, -alpha) + b * std::pow(n, -delta) * std::pow(d, -beta);
  const double reducible = gamma == 1 ? terms : std::pow(terms, gamma);
  return e + std::exp(kappa[0] * covariates[0] + kappa[1] * covariates[1]) * reducible;
}

LawNumbers ScalingLaw::numbers() const {
  return {e, a, b, alpha, beta, size_exponent(), token_exponent(), gamma, delta, kappa[0], kappa[1]};
}

size_t Form::parameters() const {
  switch (kind) {
    case Kind::chinchilla:
      return 5;
    case Kind::fixed_e:
    case Kind::shared_exponent:
    case Kind::kaplan:
      return 4;
    case Kind::interaction:
    case Kind::overtraining:
      return 6;
    case Kind::covariates:
      return 5 + covariates.size();
  }
  return 5;
}

bool Form::uses(LawNumber number) const {
  if (number == kGamma) return kind == Kind::interaction || kind == Kind::kaplan;
  if (number == kDelta) return kind == Kind::overtraining;
  if (number == kKappa) return kind == Kind::covariates;
  if (number == kKappa2) return kind == Kind::covariates && covariates.size() > 1;
  return true;
}

const char* name_of(Form::Kind kind) {
  switch (kind) {
    case Form::Kind::chinchilla:
      return "chinchilla";
    case Form::Kind::fixed_e:
      return "fixed-E";
    case Form::Kind::shared_exponent:
      return "shared-exponent";
    case Form::Kind::interaction:
      return "interaction";
    case Form::Kind::kaplan:
      return "kaplan";
    case Form::Kind::overtraining:
      return "overtraining";
    case Form::Kind::covariates:
      return "covariates";
  }
  return "";
}

std::string formula(const Form& form) {
  switch (form.kind) {
    case Form::Kind::shared_exponent:
      return "L = E + A/N^alpha + B/D^alpha";
    case Form::Kind::interaction:
      return "L = E + (A/N^alpha + B/D^beta)^gamma";
    case Form::Kind::kaplan:
      return "L = (A/N^alpha + B/D)^gamma";
    case Form::Kind::overtraining:
      return "L = E + A/N^alpha + B/(N^delta D^beta)";
    case Form::Kind::covariates:
      return "L = E + exp(kappa z) (A/N^alpha + B/D^beta)";
    case Form::Kind::chinchilla:
    case Form::Kind::fixed_e:
      break;
  }
  return "L = E + A/N^alpha + B/D^beta";
}

const char* name_of(Joint joint) {
  switch (joint) {
    case Joint::none:
      return "none";
    case Joint::floor:
      return "E";
    case Joint::exponents:
      return "exponents";
    case Joint::all:
      return "all";
  }
  return "";
}

const char* name_of(FitLoss::Kind kind) { return kind == FitLoss::Kind::huber ? "huber" : "l2"; }

}  // namespace hyscale::analysis
