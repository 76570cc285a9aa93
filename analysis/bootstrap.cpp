#include "analysis/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <gsl/gsl_cdf.h>
#include <map>

namespace hyscale::analysis {

static constexpr size_t kFewestReplicates = 20;
static constexpr double kLeastShare = 0.01;  // of replicates on one side of the estimate: what a correction may go by

namespace {

std::vector<double> sorted_numbers(std::vector<double> replicates) {
  std::erase_if(replicates, [](double value) { return std::isnan(value); });
  std::sort(replicates.begin(), replicates.end());
  return replicates;
}

double quantile_of(const std::vector<double>& sorted, double quantile) {
  const double place = quantile * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  if (std::isinf(sorted[below]) || std::isinf(sorted[above]))
    return sorted[place - static_cast<double>(below) < 0.5 ? below : above];
  return std::lerp(sorted[below], sorted[above], place - static_cast<double>(below));
}

}  // namespace

Interval percentile_interval(std::vector<double> replicates, double confidence) {
  const std::vector<double> sorted = sorted_numbers(std::move(replicates));
  if (sorted.size() < kFewestReplicates) return {};
  return {quantile_of(sorted, (1 - confidence) / 2), quantile_of(sorted, (1 + confidence) / 2)};
}

Interval corrected_interval(double estimate, std::vector<double> replicates, double confidence, double freedom) {
  const std::vector<double> sorted = sorted_numbers(std::move(replicates));
  if (sorted.size() < kFewestReplicates || std::isnan(estimate)) return percentile_interval(sorted, confidence);
  const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), estimate);
  const auto below = static_cast<double>(first - sorted.begin()), equal = static_cast<double>(last - first);
  const double share = (below + equal / 2) / static_cast<double>(sorted.size());
  const double bias = gsl_cdf_ugaussian_Pinv(std::clamp(share, kLeastShare, 1 - kLeastShare));
  const double reach = gsl_cdf_tdist_Pinv((1 + confidence) / 2, std::max(freedom, 1.0));
  return {quantile_of(sorted, gsl_cdf_ugaussian_P(2 * bias - reach)),
          quantile_of(sorted, gsl_cdf_ugaussian_P(2 * bias + reach))};
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
