#include "analysis/report/ticks.h"

#include <cmath>

namespace hyscale::analysis {

std::vector<double> linear_ticks(double low, double high, int wanted) {
  const double rough = (high - low) / wanted;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (factor * power >= rough * 0.999) step = factor * power;
  std::vector<double> ticks;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) ticks.push_back(k * step);
  return ticks;
}

static std::vector<double> decade_ticks(double low, double high, const std::vector<double>& factors, int every) {
  std::vector<double> ticks;
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  for (int decade = first; decade <= last; ++decade) {
    if (decade % every != 0) continue;
    for (const double factor : factors) {
      const double tick = factor * std::pow(10, decade);
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push_back(tick);
    }
  }
  return ticks;
}

std::vector<double> log_ticks(double low, double high, int wanted) {
  const auto limit = static_cast<size_t>(wanted) + 1;
  if (auto ticks = decade_ticks(low, high, {1, 2, 5}, 1); ticks.size() <= limit)
    return ticks.size() >= 3 ? ticks : linear_ticks(low, high, wanted);
  for (int every = 1;; ++every)
    if (auto ticks = decade_ticks(low, high, {1}, every); ticks.size() <= limit) {
      if (ticks.size() >= 3) return ticks;
      auto halves = decade_ticks(low, high, {1, 3}, 1);
      return halves.size() <= limit + 1 ? halves : ticks;
    }
}

}  // namespace hyscale::analysis
