#pragma once

#include <string>
#include <vector>

#include "analysis/bootstrap.h"
#include "analysis/points.h"

namespace hyscale::analysis {

/// How the minimum of one budget is found: ordinary least squares of a parabola in ln N, or Akima's interpolation of
/// ln loss over ln N, which runs through the points. D* is found in the same way along ln D.
enum class IsoFlopMethod { parabola, akima };
const char* name_of(IsoFlopMethod method);  // "akima"

/// loss = c0 + c1 x + c2 x^2 with x = ln N - center.
struct Parabola {
  double c0 = 0, c1 = 0, c2 = 0;
  double center = 0;
  double at(double n) const;
  double vertex() const;  // N of the minimum; infinite or 0 towards the falling side when it opens downwards
  std::vector<double> places(const std::vector<Point>& points, double Point::*axis = &Point::n) const;  // x of each
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
  double n = kMissing, d = kMissing, loss = kMissing;  // at the minima along N and D; missing without one
  double d_by_cost = kMissing;                         // what the budget buys at `n` by the points' own C / D
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
  Interval exponent_interval = {}, exponent_ci80 = {}, exponent_ci95 = {};  // at the confidence asked for, and at these
  double weighted_exponent = kMissing;  // each budget weighted by 1 / variance of its optimum's logarithm
  size_t budgets = 0;
  double at(double flops) const;
};

/// How losses scatter about the parabolas of one family.
struct IsoFlopNoise {
  double deviation = kMissing;   // nats
  int degrees_of_freedom = 0;    // left by the parabolas
  double effective_freedom = 0;  // the same when runs of one cluster count for less
  double shared = 0;             // share of the variance that the runs of one cluster have in common
};

struct FamilyIsoFlop {
  std::string family = {};
  std::vector<IsoFlopCurve> curves = {};  // by ascending budget
  IsoFlopNoise noise = {};
  bool irregular = false;                  // the parabolas describe the runs badly: analysis/misfit.h
  PowerLaw size_law = {}, token_law = {};  // N*(C) and D*(C)
  std::vector<std::string> warnings = {};
};

struct IsoFlopOptions {
  BootstrapOptions bootstrap = {};
  IsoFlopMethod method = IsoFlopMethod::parabola;
};

/// Fits every family and budget. Intervals redraw the losses about what was fitted (the parabolas; the points
/// themselves with Akima) with the family's pooled scatter about its parabolas, itself redrawn according to its degrees
/// of freedom; runs of one cluster (a trunk and its branches) get the shared part of it together. Without any freedom
/// there is no interval. The redraws of different families are independent.
std::vector<FamilyIsoFlop> fit_isoflop(const PointSet& set, const IsoFlopOptions& options);

/// The parabola alone, along ln N or another axis. Needs three distinct values.
Parabola fit_parabola(const std::vector<Point>& points, double Point::*axis = &Point::n);

}  // namespace hyscale::analysis
