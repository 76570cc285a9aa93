#include "analysis/report/palette.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace hyscale::analysis {

constexpr size_t kColors = 8;

std::string family_color(size_t index) { return fmt::format("var(--family{})", index % kColors); }

std::string ordered_color(size_t index, size_t count) {
  const size_t place = count < 2 ? 0 : index * (kColors - 1) / (count - 1);
  return fmt::format("var(--order{})", std::min(place, kColors - 1));
}

void Extent::include(double value) {
  if (!std::isfinite(value)) return;
  low = std::min(low, value);
  high = std::max(high, value);
}

Extent Extent::padded_linear(double share) const {
  const double margin = high > low ? share * (high - low) : std::max(std::abs(high) * 0.05, 1e-6);
  return {low - margin, high + margin};
}

Extent Extent::padded_log(double share) const {
  const double factor = high > low ? std::pow(high / low, share) : 2;
  return {low / factor, high * factor};
}

}  // namespace hyscale::analysis
