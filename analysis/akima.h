#pragma once

#include <cstddef>
#include <vector>

namespace hyscale::analysis {

/// Where the Akima interpolant of y over x is lowest.
struct AkimaMinimum {
  double x = 0, y = 0;
  bool interior = false;  // not at the first or the last x
};

inline constexpr size_t kFewestForAkima = 5;

/// `x` ascends strictly and holds at least kFewestForAkima values.
AkimaMinimum akima_minimum(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace hyscale::analysis
