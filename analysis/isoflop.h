#pragma once

#include <string>
#include <vector>

#include "analysis/bootstrap.h"
#include "analysis/points.h"

namespace hyscale::analysis {

/// loss = c0 + c1 x + c2 x^2 with x = ln N - center.
struct Parabola {
  double c0 = 0, c1 = 0, c2 = 0;
  double center = 0;
  double at(double n) const;
  double vertex() const;  // N of the minimum; infinite or 0 towards the falling side when it opens downwards
};

/// Share of the loss by which a size may miss the minimum and still count as good.
inline constexpr double kPlateau = 1e-3;

/// One family at one budget (Hoffmann et al. 2022, approach 2).
struct IsoFlopCurve {
  std::string family = {};
  double budget = 0;
  std::vector<Point> points = {};
  bool fitted = false;  // false: fewer than three sizes
  Parabola parabola = {};
  double n = kMissing, d = kMissing, loss = kMissing;             // at the minimum; missing when the parabola has none
  Interval n_interval = {}, d_interval = {}, loss_interval = {};  // infinite ends: the data do not close that side
  Interval plateau = {};                     // N whose loss on the parabola is within kPlateau of the minimum
  std::vector<double> loss_replicates = {};  // what the redrawn losses make of `loss`, in the order of the redraws
  bool opens_upwards = false;
  bool interior = false;                 // minimum between the smallest and the largest size trained
  int sizes_below = 0, sizes_above = 0;  // distinct sizes on each side of the minimum
  std::vector<std::string> warnings = {};
};

/// y = factor * C^exponent through the interior minima.
struct PowerLaw {
  bool known = false;  // two interior minima at least
  double exponent = kMissing, log_factor = kMissing;
  Interval exponent_interval = {}, exponent_ci95 = {};  // at the confidence asked for; at 95 %
  size_t budgets = 0;
  double at(double flops) const;
};

struct FamilyIsoFlop {
  std::string family = {};
  std::vector<IsoFlopCurve> curves = {};   // by ascending budget
  double noise = kMissing;                 // standard deviation of loss about the parabolas, nats
  int degrees_of_freedom = 0;              // behind `noise`
  bool irregular = false;                  // the parabolas describe the runs badly: analysis/misfit.h
  PowerLaw size_law = {}, token_law = {};  // N*(C) and D*(C)
  std::vector<std::string> warnings = {};
};

/// Fits every family and budget. The parabola is least squares in ln N, robust (Huber weights) from five points on:
/// with fewer, nothing tells an outlier from curvature. Intervals redraw the losses about the fitted parabolas with the
/// family's pooled noise, itself redrawn according to its degrees of freedom; without any freedom there is no interval.
/// The redraws of different families are independent.
/// D at the optimum follows the points' own FLOPs per token.
std::vector<FamilyIsoFlop> fit_isoflop(const PointSet& set, const BootstrapOptions& options);

/// The parabola alone. Needs three distinct sizes.
Parabola fit_parabola(const std::vector<Point>& points);

}  // namespace hyscale::analysis
