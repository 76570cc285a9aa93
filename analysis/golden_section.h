#pragma once

#include <cmath>

namespace hyscale::analysis {

/// The minimum of a function with one valley between `left` and `right`, to `tolerance` or the function's rounding.
template <class Function>
double golden_section(Function&& at, double left, double right, double tolerance = 1e-8) {
  const double golden = (std::sqrt(5.0) - 1) / 2;
  double one = right - golden * (right - left), two = left + golden * (right - left);
  double at_one = at(one), at_two = at(two);
  while (right - left > tolerance) {
    if (at_one < at_two) {
      right = two, two = one, at_two = at_one;
      at_one = at(one = right - golden * (right - left));
    } else {
      left = one, one = two, at_one = at_two;
      at_two = at(two = left + golden * (right - left));
    }
  }
  return (left + right) / 2;
}

}  // namespace hyscale::analysis
