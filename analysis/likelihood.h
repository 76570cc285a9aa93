#pragma once

#include "analysis/law.h"

namespace hyscale::analysis {

/// How likely a fit makes its points, and what it spent on that. The density whose maximum is the fit itself:
/// exp(-Huber_delta(r) / (delta s)) / Z(s) of log residuals, between Laplace (s >> delta) and normal (s << delta), or
/// the normal density of residuals of L; the scale is estimated too.
struct Likelihood {
  double minus_twice_log = kMissing;  // -2 ln likelihood at the best scale
  size_t parameters = 0;              // the scale included
  double aic() const { return minus_twice_log + 2 * static_cast<double>(parameters); }
};

/// `objective` is FitLoss summed over `points` points.
Likelihood likelihood_of(double objective, size_t points, size_t law_parameters, const FitLoss& loss);

/// Of a fit that is nested in a richer one.
struct LikelihoodRatio {
  double statistic = kMissing;  // -2 ln of the ratio; chi-squared with `freedom` degrees if the points are independent
  size_t freedom = 0;
  double p = kMissing;
};
LikelihoodRatio likelihood_ratio(const Likelihood& nested, const Likelihood& richer);

}  // namespace hyscale::analysis
