#pragma once

#include "analysis/law_fit.h"
#include "analysis/selection.h"

namespace hyscale::analysis {

/// Takes the points that fulfil the condition out of `set` and returns them. Throws ConfigError when none does, or
/// nothing is left to fit.
PointSet hold_out(PointSet& set, const std::string& condition, const ColumnMap& columns);

/// How well a law foretells points that it has not seen.
struct Foretold {
  struct Prediction {
    Point point;
    double loss;
  };
  std::vector<Prediction> points = {};
  double rms = kMissing, bias = kMissing;  // of ln predicted - ln measured
  double decades = kMissing;               // log10 of the largest C held out over the largest C fitted
};
/// The family's points among `held`; empty when there are none.
Foretold foretell(const FamilyFit& fit, const PointSet& fitted, const PointSet& held);

}  // namespace hyscale::analysis
