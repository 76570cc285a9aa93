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

ClusterResampler::ClusterResampler(const std::vector<Point>& points) {
  std::map<std::string, std::vector<Point>> groups;
  for (const Point& point : points) groups[point.cluster].push_back(point);
  for (auto& [name, group] : groups) members_.push_back(std::move(group));
}

std::vector<Point> ClusterResampler::draw(std::mt19937_64& random) const {
  std::uniform_int_distribution<size_t> pick(0, members_.size() - 1);
  std::vector<Point> sample;
  for (size_t i = 0; i < members_.size(); ++i) {
    const auto& group = members_[pick(random)];
    sample.insert(sample.end(), group.begin(), group.end());
  }
  return sample;
}

}  // namespace hyscale::analysis
