#include "analysis/likelihood.h"

#include <algorithm>
#include <cmath>
#include <gsl/gsl_cdf.h>
#include <numbers>

#include "analysis/golden_section.h"

namespace hyscale::analysis {
namespace {

double log_normaliser(double scale, double delta) {
  const double middle = std::sqrt(2 * std::numbers::pi * scale * delta) * std::erf(std::sqrt(delta / (2 * scale)));
  return std::log(middle + 2 * scale * std::exp(-delta / (2 * scale)));
}

}  // namespace

Likelihood likelihood_of(double objective, size_t points, size_t law_parameters, const FitLoss& loss) {
  const auto count = static_cast<double>(points);
  constexpr double kLeast = 1e-30;  // points on the law to rounding
  const double sum = std::max(objective, kLeast);
  Likelihood likelihood{.parameters = law_parameters + 1};
  if (loss.kind == FitLoss::Kind::l2) {
    likelihood.minus_twice_log = count * (std::log(2 * std::numbers::pi * sum / count) + 1);
    return likelihood;
  }
  const auto minus_twice_log = [&](double log_scale) {
    const double scale = std::exp(log_scale);
    return 2 * (count * log_normaliser(scale, loss.delta) + sum / (scale * loss.delta));
  };
  const double guess = std::log(sum / (count * loss.delta));
  likelihood.minus_twice_log = minus_twice_log(golden_section(minus_twice_log, guess - 5, guess + 5));
  return likelihood;
}

LikelihoodRatio likelihood_ratio(const Likelihood& nested, const Likelihood& richer) {
  LikelihoodRatio ratio{.statistic = std::max(0.0, nested.minus_twice_log - richer.minus_twice_log),
                        .freedom = richer.parameters - nested.parameters};
  ratio.p = ratio.freedom == 0 ? 1 : gsl_cdf_chisq_Q(ratio.statistic, static_cast<double>(ratio.freedom));
  return ratio;
}

}  // namespace hyscale::analysis
