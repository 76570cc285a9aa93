#pragma once

#include <cstddef>
#include <string>

namespace hyscale::analysis {

/// CSS colours that the page's style defines for light, dark and print. Families differ in kind (Okabe and Ito's
/// colours, told apart with any colour vision); budgets and sizes are ordered (dark to bright, as viridis).
std::string family_color(size_t index);
std::string ordered_color(size_t index, size_t count);

/// Low and high with a margin, for an axis.
struct Extent {
  double low = 1e300, high = -1e300;
  void include(double value);
  bool empty() const { return low > high; }
  Extent padded_linear(double share) const;
  Extent padded_log(double share) const;
};

}  // namespace hyscale::analysis
