#pragma once

#include <functional>
#include <string>
#include <vector>

#include "analysis/bootstrap.h"
#include "analysis/covariance.h"
#include "analysis/law.h"
#include "analysis/likelihood.h"
#include "analysis/multi_start.h"
#include "analysis/points.h"

namespace hyscale::analysis {

struct FitOptions {
  Form form = {};
  Joint joint = Joint::none;
  FitLoss loss = {};
  StartGrid starts = StartGrid::projection;
  BootstrapOptions bootstrap = {};
  std::vector<double> budgets =
      {};  // FLOPs to allocate; empty: the points' own budgets, or the largest C and two decades more
};

/// How the minimum was found: what a reader needs to trust the numbers or not.
struct FitCard {
  int starts = 0;
  int starts_at_best = 0;           // ended within 1e-6 of the best objective
  double objective = 0;             // FitLoss, summed over the points
  double gradient_norm = 0;         // of that sum at the minimum, largest component
  double condition = 0;             // of the Hessian in centred parameters
  double residual_rms = 0;          // of ln loss
  Likelihood likelihood = {};       // of all points of the fit
  double freedom = 0;               // clusters of all families less free parameters
  int resamples = 0;                // bootstrap fits that went in
  int resamples_left_out = 0;       // whose fit is not finite
  bool by_standard_errors = false;  // too many points to resample: intervals are normal ones
  std::vector<std::string> bounds_hit = {};
};

/// Where a budget is best spent under a cost per token: the family's own, or 6 N.
struct Spending {
  double n = kMissing, d = kMissing, loss = kMissing;
  Interval n_interval = {}, d_interval = {}, loss_interval = {};  // at the confidence asked for
  Interval n_ci80 = {}, n_ci95 = {}, d_ci80 = {}, d_ci95 = {};
  Interval ratio_ci80 = {}, ratio_ci95 = {};  // of tokens per parameter
  Interval plateau = {};                      // N that reach the same loss with less than 1 % more compute
  double tokens_per_parameter() const { return d / n; }
};
struct Allocation : Spending {
  double budget = 0;         // FLOPs
  double extrapolation = 0;  // log10 of budget over the largest C trained; > 0 is outside the data
  Spending six_n_d = {};     // under C = 6 N D
};

/// In the order of LawNumbers.
using LawIntervals = std::array<Interval, std::tuple_size_v<LawNumbers>>;

/// What the likelihood says of E when the other numbers follow it.
struct FloorProfile {
  Interval ci95 = {};                                 // low is 0 when no positive E is excluded
  std::vector<std::pair<double, double>> curve = {};  // E, rise of -2 ln likelihood
};

/// Approach 3 for one family. When `usable` is false, `reasons` say why and the numbers are not to be relied on; they
/// exist when `fitted`.
struct FamilyFit {
  std::string family = {};
  Form form = {};
  size_t points = 0, clusters = 0, sizes = 0, token_counts = 0;
  bool fitted = false, usable = false;
  std::vector<std::string> reasons = {"this fit was never run"};
  std::vector<std::string> warnings = {};
  ScalingLaw law = {};
  LawIntervals ci = {}, ci80 = {}, ci95 = {};  // bootstrap: at the confidence asked for, and at these
  LawCovariance covariance = {};
  FitCard card = {};  // of a joint fit: of all its families together
  FloorProfile floor = {};
  std::vector<ScalingLaw> resampled = {};  // the bootstrap's laws
  std::vector<Allocation> allocations = {};
};

/// Called with (resamples done, resamples asked for).
using FitProgress = std::function<void(int, int)>;
using Families = std::vector<std::pair<std::string, std::vector<Point>>>;

/// Fits all families with one objective, sharing what `options.joint` says: many starts, then cluster bootstrap, then
/// allocations. Families with too few points are left out, with their reasons. Deterministic for a seed.
std::vector<FamilyFit> fit_together(const Families& families, const FitOptions& options,
                                    const FitProgress& progress = {});

/// One family on its own.
FamilyFit fit_family(const std::string& family, const std::vector<Point>& points, const FitOptions& options,
                     const FitProgress& progress = {});

/// Every family of the set: each on its own, or all together where the options share something.
std::vector<FamilyFit> fit_families(const PointSet& set, const FitOptions& options);

}  // namespace hyscale::analysis
