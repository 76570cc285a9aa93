#pragma once

#include "analysis/law_fit.h"

namespace hyscale::analysis {

/// Families fitted together, and what the same families reach with nothing shared but the scale of their scatter.
struct JointFit {
  Joint joint = Joint::none;
  std::vector<FamilyFit> families = {};
  Likelihood separate = {};
  bool fitted() const;
  const FitCard& card() const;  // of a fitted one
};
/// Throws ConfigError when `set` has fewer than two families.
JointFit fit_jointly(const PointSet& set, const FitOptions& options);

/// "E = 1.69 shared: AIC …": the shared numbers, AIC and likelihood ratio in words.
std::string joint_text(const JointFit& fit);

}  // namespace hyscale::analysis
