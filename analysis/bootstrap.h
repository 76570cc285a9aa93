#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "analysis/points.h"

namespace hyscale::analysis {

/// How intervals are made.
struct BootstrapOptions {
  int resamples = 4000;  // 0 leaves intervals out
  uint64_t seed = 0;
  double confidence = 0.95;  // of the two-sided intervals
};

/// A two-sided interval. An end that the data leave open is infinite; NaN ends mean "not available".
struct Interval {
  double low = kMissing;
  double high = kMissing;
  bool known() const { return low == low && high == high; }
  bool overlaps(const Interval& other) const { return low <= other.high && other.low <= high; }
};

/// Percentile interval of the replicates; infinities sort to their ends. Unknown when there are fewer than 20, because
/// the ends would then be the extremes of a handful.
Interval percentile_interval(std::vector<double> replicates, double confidence);

/// The same at levels that allow for replicates whose median stands off the estimate (bias-corrected percentiles, Efron
/// 1981) and for few clusters (Student's quantile with `freedom`, clusters less parameters, in the normal one's place).
Interval corrected_interval(double estimate, std::vector<double> replicates, double confidence, double freedom);

/// Draws a weight for each cluster as a whole, so that runs which share a trunk stay together: the Bayesian bootstrap
/// (Rubin 1981), exponential weights of mean 1. Drawing clusters with replacement instead leaves too few sizes in the
/// resamples of small studies, whose 95 % intervals then cover 98 to 100 %.
class ClusterResampler {
 public:
  explicit ClusterResampler(const std::vector<Point>& points);
  size_t clusters() const { return members_.size(); }
  /// The weight of each point.
  std::vector<double> draw(std::mt19937_64& random) const;

 private:
  std::vector<std::vector<size_t>> members_;
  size_t points_;
};

}  // namespace hyscale::analysis
