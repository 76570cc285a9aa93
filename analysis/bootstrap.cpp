#include "analysis/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace hyscale::analysis {

static constexpr size_t kFewestReplicates = 20;

Interval percentile_interval(std::vector<double> replicates, double confidence) {
  std::erase_if(replicates, [](double value) { return std::isnan(value); });
  if (replicates.size() < kFewestReplicates) return {};
  std::sort(replicates.begin(), replicates.end());
  const auto at = [&](double quantile) {
    const double place = quantile * static_cast<double>(replicates.size() - 1);
    const auto below = static_cast<size_t>(place);
    const size_t above = std::min(below + 1, replicates.size() - 1);
    if (std::isinf(replicates[below]) || std::isinf(replicates[above]))
      return replicates[place - static_cast<double>(below) < 0.5 ? below : above];
    return std::lerp(replicates[below], replicates[above], place - static_cast<double>(below));
  };
  return {at((1 - confidence) / 2), at((1 + confidence) / 2)};
}

ClusterResampler::ClusterResampler(const std::vector<Point>& points) : points_(points.size()) {
  std::map<std::string_view, std::vector<size_t>> groups;
  for (size_t i = 0; i < points.size(); ++i) groups[points[i].cluster].push_back(i);
  for (auto& [name, group] : groups) members_.push_back(std::move(group));
}

std::vector<double> ClusterResampler::draw(std::mt19937_64& random) const {
  std::exponential_distribution<double> weight(1);
  std::vector<double> weights(points_), of_cluster(members_.size());
  double sum = 0;
  for (double& one : of_cluster) sum += one = weight(random);
  for (size_t i = 0; i < members_.size(); ++i)
    for (const size_t member : members_[i])
      weights[member] = of_cluster[i] * static_cast<double>(members_.size()) / sum;
  return weights;
}

}  // namespace hyscale::analysis
