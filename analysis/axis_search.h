#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "analysis/isoflop.h"
#include "analysis/least_squares.h"

namespace hyscale::analysis {

/// The minimum along one axis: its place (0 or infinite where the data leave it open) and the loss there.
struct AxisMinimum {
  double at = kMissing, loss = kMissing;
  bool interior = false;
  bool closed() const { return at > 0 && at < std::numeric_limits<double>::infinity(); }
};

/// Finds the minimum of one budget's losses along N or D, for one set of losses after another. Missing where there are
/// fewer than three distinct places (five with Akima, where the lowest loss of a place counts).
class AxisSearch {
 public:
  AxisSearch(const std::vector<Point>& points, double Point::*axis, IsoFlopMethod method);
  AxisMinimum minimum(const std::vector<double>& losses) const;   // in the order of the points
  std::pair<double, double> trained() const { return trained_; }  // smallest and largest value
  size_t distinct() const { return distinct_; }

 private:
  AxisMinimum by_parabola(const std::vector<double>& losses) const;
  AxisMinimum by_akima(const std::vector<double>& losses) const;

  IsoFlopMethod method_;
  double center_ = 0;
  std::vector<double> places_;  // logarithms less the centre
  std::pair<double, double> trained_;
  size_t distinct_;
  std::optional<QuadraticBasis> basis_ = {};
};

std::vector<double> losses_of(const std::vector<Point>& points);

}  // namespace hyscale::analysis
