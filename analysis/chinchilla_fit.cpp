#include "analysis/chinchilla_fit.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fmt/format.h>
#include <omp.h>
#include <optional>
#include <set>

#include "analysis/allocation.h"
#include "analysis/multi_start.h"
#include "core/base/log.h"

namespace hyscale::analysis {
namespace {

constexpr size_t kFewestPoints = 6;  // five parameters and at least one residual
constexpr double kLeastExponent = 0.02, kLargestExponent = 3;

std::pair<size_t, size_t> distinct_sizes_and_tokens(const std::vector<Point>& points) {
  std::set<double> n, d;
  for (const Point& point : points) n.insert(point.n), d.insert(point.d);
  return {n.size(), d.size()};
}

std::vector<std::string> why_too_few(const FamilyFit& fit) {
  std::vector<std::string> reasons;
  if (fit.points < kFewestPoints)
    reasons.push_back(fmt::format("{} points, but five parameters need at least {}", fit.points, kFewestPoints));
  if (fit.sizes < 3)
    reasons.push_back(fmt::format("{} distinct model sizes, but alpha and A need at least 3", fit.sizes));
  if (fit.token_counts < 3)
    reasons.push_back(fmt::format("{} distinct token counts, but beta and B need at least 3", fit.token_counts));
  return reasons;
}

// Limits outside which the law says nothing about the data at hand.
std::vector<std::string> limits_hit(const ChinchillaLaw& law, const std::vector<Point>& points) {
  double least = points.front().loss;
  for (const Point& point : points) least = std::min(least, point.loss);
  std::vector<std::string> hit;
  if (law.e < 1e-3 * least) hit.push_back(fmt::format("E = {:.3g} ran to zero: the data show no floor", law.e));
  if (law.e > 0.9999 * least) hit.push_back(fmt::format("E = {:.4g} reached the lowest loss measured", law.e));
  const auto check = [&](const char* name, double exponent) {
    if (exponent < kLeastExponent || exponent > kLargestExponent)
      hit.push_back(fmt::format("{} = {:.3g} left [{}, {}]", name, exponent, kLeastExponent, kLargestExponent));
  };
  check("alpha", law.alpha);
  check("beta", law.beta);
  return hit;
}

double residual_rms(const ChinchillaLaw& law, const std::vector<Point>& points) {
  double sum = 0;
  for (const Point& point : points) {
    const double residual = std::log(law.loss(point.n, point.d) / point.loss);
    sum += residual * residual;
  }
  return std::sqrt(sum / static_cast<double>(points.size()));
}

// A generator of its own for each resample, so that their order does not matter.
std::mt19937_64 generator(uint64_t seed, int resample) {
  std::seed_seq seeds{seed & 0xffffffff, seed >> 32, static_cast<uint64_t>(resample)};
  return std::mt19937_64(seeds);
}

// Refits on resampled clusters, warm-started from the best optima of the full data.
std::vector<ChinchillaLaw> bootstrap_laws(const std::vector<Point>& points, const std::vector<ChinchillaLaw>& starts,
                                          const FitOptions& options, FitCard& card, const FitProgress& progress) {
  const ClusterResampler resampler(points);
  const int resamples = options.bootstrap.resamples;
  std::vector<std::optional<ChinchillaLaw>> fitted(static_cast<size_t>(resamples));
  std::atomic<int> done = 0;
#pragma omp parallel for schedule(dynamic, 8)
  for (int i = 0; i < resamples; ++i) {
    std::mt19937_64 random = generator(options.bootstrap.seed, i);
    const std::vector<Point> sample = resampler.draw(random);
    const auto [sizes, token_counts] = distinct_sizes_and_tokens(sample);
    if (sizes >= 3 && token_counts >= 3) {
      const ChinchillaObjective objective(sample, options.loss);
      fitted[static_cast<size_t>(i)] = objective.law(refit(objective, starts).theta);
    }
    ++done;
    if (progress && omp_get_thread_num() == 0) progress(done, resamples);
  }
  std::vector<ChinchillaLaw> laws;
  for (const auto& law : fitted)
    if (law) laws.push_back(*law);
  card.resamples = static_cast<int>(laws.size());
  card.resamples_left_out = resamples - card.resamples;
  return laws;
}

LawIntervals intervals(const std::vector<ChinchillaLaw>& laws, double confidence) {
  LawIntervals found;
  for (size_t i = 0; i < found.size(); ++i) {
    std::vector<double> values;
    for (const ChinchillaLaw& law : laws) values.push_back(law.numbers()[i]);
    found[i] = percentile_interval(std::move(values), confidence);
  }
  return found;
}

void add_warnings(FamilyFit& fit) {
  if (fit.points < 10)
    fit.warnings.push_back(fmt::format("only {} points for five parameters; add sizes or budgets", fit.points));
  if (fit.card.resamples > 0 && fit.clusters < 10)
    fit.warnings.push_back(
        fmt::format("only {} independent clusters: the bootstrap interval is rough and tends to be too narrow; more "
                    "sizes or seeds mend that",
                    fit.clusters));
  if (fit.card.starts_at_best < 5)
    fit.warnings.push_back(fmt::format("only {} of {} starts reached the best objective: the surface is rough",
                                       fit.card.starts_at_best, fit.card.starts));
  if (fit.card.condition > 1e10)
    fit.warnings.push_back(fmt::format(
        "condition number {:.1e}: some parameters trade off against each other; trust predictions more than the "
        "parameters",
        fit.card.condition));
  if (fit.card.resamples_left_out > 0)
    fit.warnings.push_back(fmt::format("{} resamples held fewer than 3 sizes or token counts and were left out",
                                       fit.card.resamples_left_out));
}

}  // namespace

FamilyFit fit_family(const std::string& family, const std::vector<Point>& points, const FitOptions& options,
                     const FitProgress& progress) {
  FamilyFit fit{.family = family, .points = points.size(), .clusters = ClusterResampler(points).clusters()};
  std::tie(fit.sizes, fit.token_counts) = distinct_sizes_and_tokens(points);
  fit.reasons = why_too_few(fit);
  if (!fit.reasons.empty()) return fit;

  const ChinchillaObjective objective(points, options.loss);
  const MultiStart search = fit_from_grid(objective, points);
  fit.law = objective.law(search.best.theta);
  fit.card.starts = search.starts;
  fit.card.starts_at_best = search.starts_at_best;
  fit.card.objective = objective.unscaled(search.best.value);
  fit.card.gradient_norm = objective.unscaled(search.best.gradient_norm);
  fit.card.condition = condition_number(objective, search.best.theta);
  fit.card.residual_rms = residual_rms(fit.law, points);
  fit.card.bounds_hit = limits_hit(fit.law, points);
  fit.reasons = fit.card.bounds_hit;
  if (!fit.reasons.empty()) return fit;

  fit.usable = true;
  fit.covariance = covariance(objective, search.best.theta, points);
  std::vector<ChinchillaLaw> starts;
  for (const Minimum& optimum : search.optima) starts.push_back(objective.law(optimum.theta));
  const auto laws = bootstrap_laws(points, starts, options, fit.card, progress);
  fit.ci = intervals(laws, options.bootstrap.confidence);
  fit.ci80 = intervals(laws, 0.80);
  fit.ci95 = intervals(laws, 0.95);
  fit.allocations = allocate(fit.law, laws, points, options.budgets, options.bootstrap.confidence);
  add_warnings(fit);
  return fit;
}

std::vector<FamilyFit> fit_families(const PointSet& set, const FitOptions& options) {
  FitOptions with_budgets = options;
  if (with_budgets.budgets.empty()) with_budgets.budgets = set.budgets();
  std::vector<FamilyFit> fits;
  ProgressLine line;
  for (const std::string& family : set.families()) {
    const auto show = [&](int done, int all) {
      line.show(fmt::format("fit {}: resample {} of {}", family, done, all));
    };
    fits.push_back(fit_family(family, set.of(family), with_budgets, show));
  }
  line.clear();
  return fits;
}

}  // namespace hyscale::analysis
