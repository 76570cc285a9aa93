#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "analysis/bootstrap.h"
#include "analysis/chinchilla.h"
#include "analysis/covariance.h"
#include "analysis/points.h"

namespace hyscale::analysis {

struct FitOptions {
  FitLoss loss = {};
  BootstrapOptions bootstrap = {};
  std::vector<double> budgets = {};  // FLOPs to allocate; empty: the points' own budgets
};

/// How the minimum was found: what a reader needs to trust the numbers or not.
struct FitCard {
  int starts = 0;
  int starts_at_best = 0;      // ended within 1e-6 of the best objective
  double objective = 0;        // FitLoss, summed over the points
  double gradient_norm = 0;    // of that sum at the minimum, largest component
  double condition = 0;        // of the Hessian in centred parameters
  double residual_rms = 0;     // of ln loss
  int resamples = 0;           // bootstrap fits that went in
  int resamples_left_out = 0;  // fewer than three sizes or token counts drawn
  std::vector<std::string> bounds_hit = {};
};

/// Where a budget is best spent under the family's own FLOPs per token.
struct Allocation {
  double budget = 0;  // FLOPs
  double n = kMissing, d = kMissing, loss = kMissing;
  Interval n_interval = {}, d_interval = {}, loss_interval = {};
  double extrapolation = 0;  // log10 of budget over the largest C trained; > 0 is outside the data
};

/// In the order of LawNumbers.
using LawIntervals = std::array<Interval, 7>;

/// Approach 3 for one family. When `usable` is false, `reasons` say why and the numbers are not to be shown.
struct FamilyFit {
  std::string family = {};
  size_t points = 0, clusters = 0, sizes = 0, token_counts = 0;
  bool usable = false;
  std::vector<std::string> reasons = {"this fit was never run"};
  std::vector<std::string> warnings = {};  // of a usable fit
  ChinchillaLaw law = {};
  LawIntervals ci = {}, ci80 = {}, ci95 = {};  // bootstrap: at the confidence asked for, and at these
  LawCovariance covariance = {};
  FitCard card = {};
  std::vector<Allocation> allocations = {};
};

/// Called with (resamples done, resamples asked for).
using FitProgress = std::function<void(int, int)>;

/// Fits one family's points: multi-start Huber fit, then cluster bootstrap, then allocations. Deterministic for a seed.
FamilyFit fit_family(const std::string& family, const std::vector<Point>& points, const FitOptions& options,
                     const FitProgress& progress = {});

/// Every family of the set.
std::vector<FamilyFit> fit_families(const PointSet& set, const FitOptions& options);

}  // namespace hyscale::analysis
