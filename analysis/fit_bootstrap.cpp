#include "analysis/fit_bootstrap.h"

#include <atomic>
#include <cmath>
#include <omp.h>
#include <optional>

namespace hyscale::analysis {
namespace {

// A generator of its own for each resample, so that their order does not matter.
std::mt19937_64 generator(uint64_t seed, int resample) {
  std::seed_seq seeds{seed & 0xffffffff, seed >> 32, static_cast<uint64_t>(resample)};
  return std::mt19937_64(seeds);
}

}  // namespace

std::vector<Theta> bootstrap_fits(const Objective& objective, const std::vector<std::vector<Point>>& families,
                                  const std::vector<Theta>& starts, const BootstrapOptions& options, FitCard& card,
                                  const FitProgress& progress) {
  std::vector<ClusterResampler> clusters;
  for (const auto& points : families) clusters.emplace_back(points);
  std::vector<std::optional<Theta>> fitted(static_cast<size_t>(options.resamples));
  std::atomic<int> done = 0;
#pragma omp parallel for schedule(dynamic, 8)
  for (int i = 0; i < options.resamples; ++i) {
    std::mt19937_64 random = generator(options.seed, i);
    std::vector<double> weights;
    for (const ClusterResampler& family : clusters) {
      const std::vector<double> drawn = family.draw(random);
      weights.insert(weights.end(), drawn.begin(), drawn.end());
    }
    Minimum minimum = refit(objective.weighted(weights), starts);
    if (std::isfinite(minimum.value)) fitted[static_cast<size_t>(i)] = std::move(minimum.theta);
    ++done;
    if (progress && omp_get_thread_num() == 0) progress(done, options.resamples);
  }
  std::vector<Theta> thetas;
  for (auto& theta : fitted)
    if (theta) thetas.push_back(std::move(*theta));
  card.resamples = static_cast<int>(thetas.size());
  card.resamples_left_out = options.resamples - card.resamples;
  return thetas;
}

}  // namespace hyscale::analysis
