#pragma once

#include <limits>
#include <string>
#include <vector>

#include "analysis/points.h"

namespace hyscale::analysis {

/// `n >= 1e6 and loss < 4`: comparisons (< <= > >= == !=) of a point's columns (n, d, c, budget, loss, se, or what
/// --columns calls them) with numbers, joined by `and`. A value that a point lacks fulfils `!=` alone.
class Condition {
 public:
  /// Throws ConfigError with a caret under the first thing that is wrong.
  Condition(const std::string& text, const ColumnMap& columns, const char* option = "--where");
  bool holds(const Point& point) const;

 private:
  enum class Relation { less, at_most, more, at_least, equal, unequal };
  struct Comparison {
    double Point::*value;
    Relation relation;
    double with;
  };
  friend class ConditionParser;
  std::vector<Comparison> comparisons_;
};

/// Which points go into a fit.
struct Selection {
  std::string where = {};  // a Condition; empty: all
  int drop_highest = 0;    // so many of the largest losses of what is left
  double max_flops = std::numeric_limits<double>::infinity();
};

/// The points that are left, and a notice of how many each rule left out. Throws ConfigError when none is left.
PointSet selected(PointSet set, const Selection& selection, const ColumnMap& columns);

}  // namespace hyscale::analysis
