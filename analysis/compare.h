#pragma once

#include "analysis/joint_fit.h"

namespace hyscale::analysis {

/// What the reference spends for a loss over what the other family spends for it, each at its own optimum and cost.
struct ComputeMultiplier {
  double flops = 0;  // of the reference
  double loss = 0;   // reached by both
  double value = 0;  // above 1: the other family is cheaper
  Interval ci95 = {};
};

/// Runs of two families that share size, budget (or tokens) and seed.
struct PairedDifference {
  size_t pairs = 0, other_lower = 0;
  double mean = kMissing;  // other's loss less the reference's, nats
  Interval ci95 = {};      // Student's, over the pairs
  double p = kMissing;     // of no difference, two-sided
};

struct FamilyPair {
  std::string reference = {}, other = {};
  std::vector<ComputeMultiplier> multipliers = {};  // only where both losses lie inside both families' budgets
  double crossover = kMissing;                      // FLOPs of the reference at which both cost the same
  Interval crossover_ci95 = {};                     // of the resamples that cross at all
  double crossing_share = kMissing;                 // of the resamples
  PairedDifference paired = {};
};

/// Families against each other.
struct Comparison {
  std::vector<FamilyFit> families = {};  // separate fits
  std::vector<JointFit> joint = {};      // E, exponents, all
  std::vector<FamilyPair> pairs = {};    // every family after the first with the first
};
/// Throws ConfigError when there are fewer than two families.
Comparison compare_families(const PointSet& set, const FitOptions& options);

/// Pairs runs of equal size (label, else N within 2 %), budget (else D) within 2 % and seed.
PairedDifference compare_pairwise(const std::vector<Point>& reference, const std::vector<Point>& other);

}  // namespace hyscale::analysis
