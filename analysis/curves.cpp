#include "analysis/curves.h"

#include <algorithm>
#include <cmath>

namespace hyscale::analysis {

std::vector<std::pair<double, double>> thinned_losses(const std::vector<storage::StepRow>& steps, int bins) {
  std::vector<std::pair<double, double>> thinned;
  if (steps.empty()) return thinned;
  const double first = std::log(static_cast<double>(steps.front().tokens));
  const double span = std::max(std::log(static_cast<double>(steps.back().tokens)) - first, 1e-9);
  int bin = -1, members = 0;
  double sum = 0;
  for (const storage::StepRow& row : steps) {
    if (!std::isfinite(row.loss)) continue;
    const auto tokens = static_cast<double>(row.tokens);
    const int here = std::min(static_cast<int>((std::log(tokens) - first) / span * bins), bins - 1);
    if (here != bin) {
      thinned.emplace_back();
      bin = here, members = 0, sum = 0;
    }
    sum += row.loss;
    thinned.back() = {tokens, sum / ++members};
  }
  return thinned;
}

}  // namespace hyscale::analysis
