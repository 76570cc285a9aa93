#include "analysis/joint_fit.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/base/error.h"

namespace hyscale::analysis {

static bool is_fitted(const FamilyFit& fit) { return fit.fitted; }

bool JointFit::fitted() const { return std::any_of(families.begin(), families.end(), is_fitted); }

const FitCard& JointFit::card() const { return std::find_if(families.begin(), families.end(), is_fitted)->card; }

JointFit fit_jointly(const PointSet& set, const FitOptions& options) {
  const Families families = set.by_family();
  if (families.size() < 2)
    throw ConfigError(Problem{.what = "a joint fit needs two families, the points have one",
                              .remedy = "name the column that holds them: --columns family=…"});
  JointFit fit{.joint = options.joint, .families = fit_families(set, options)};
  if (!fit.fitted()) return fit;
  FitOptions apart = options;
  apart.joint = Joint::none, apart.bootstrap.resamples = 0;
  const std::vector<FamilyFit> separate = fit_together(families, apart);
  fit.separate = JointFit{.families = separate}.card().likelihood;
  return fit;
}

std::string joint_text(const JointFit& fit) {
  if (!fit.fitted()) return "";
  const Likelihood& shared = fit.card().likelihood;
  const LikelihoodRatio ratio = likelihood_ratio(shared, fit.separate);
  return fmt::format(
      "{} shared by all families: AIC {:.1f}, with separate laws {:.1f} (the lower one is the better bet); likelihood "
      "ratio {:.1f} with {} degrees of freedom, p = {:.2g}\n",
      fit.joint == Joint::floor       ? "E"
      : fit.joint == Joint::exponents ? "alpha and beta"
                                      : "E, alpha and beta",
      shared.aic(), fit.separate.aic(), ratio.statistic, ratio.freedom, ratio.p);
}

}  // namespace hyscale::analysis
