#include "analysis/law_fit.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <set>
#include <utility>

#include "analysis/allocation.h"
#include "analysis/fit_bootstrap.h"
#include "analysis/fit_warnings.h"
#include "analysis/floor_profile.h"
#include "core/base/log.h"

namespace hyscale::analysis {
namespace {

constexpr size_t kMostSearched = 2000;     // points of one family behind the starts; all of them are polished on
constexpr size_t kMostResampled = 10'000;  // points of a fit; beyond, its standard errors are as good
constexpr double kNormal80 = 1.2815515655446004, kNormal95 = 1.959963984540054;

using Points = std::vector<Point>;

FamilyFit described(const std::string& family, const Points& points, const Form& form) {
  FamilyFit fit{.family = family, .form = form, .points = points.size()};
  std::set<double> n, d;
  for (const Point& point : points) n.insert(point.n), d.insert(point.d);
  fit.clusters = ClusterResampler(points).clusters(), fit.sizes = n.size(), fit.token_counts = d.size();
  fit.reasons = why_unfit(fit, points);
  return fit;
}

double residual_rms(const ScalingLaw& law, const Points& points) {
  double sum = 0;
  for (const Point& point : points) {
    const double residual = std::log(law.loss(point) / point.loss);
    sum += residual * residual;
  }
  return std::sqrt(sum / static_cast<double>(points.size()));
}

std::vector<Points> thinned(const std::vector<Points>& families) {
  std::vector<Points> few;
  for (const Points& points : families) {
    const size_t stride = (points.size() + kMostSearched - 1) / kMostSearched;
    Points& kept = few.emplace_back();
    for (size_t i = 0; i < points.size(); i += stride) kept.push_back(points[i]);
  }
  return few;
}

// Every start of the grid for all families alike, and where each family ends up on its own.
std::vector<std::vector<ScalingLaw>> joint_starts(const std::vector<Points>& families, const FitOptions& options) {
  std::vector<std::vector<ScalingLaw>> starts;
  std::vector<ScalingLaw> own;
  for (const Points& points : families) {
    const std::vector<ScalingLaw> laws = starting_laws(points, options.form, options.starts);
    starts.resize(laws.size());
    for (size_t i = 0; i < laws.size(); ++i) starts[i].push_back(laws[i]);
    if (families.size() == 1) continue;
    const Objective alone({points}, options.form, Joint::none, options.loss);
    std::vector<std::vector<ScalingLaw>> single;
    for (const ScalingLaw& law : laws) single.push_back({law});
    own.push_back(alone.law(fit_from(alone, single).best.theta));
  }
  if (!own.empty()) starts.push_back(std::move(own));
  return starts;
}

MultiStart search(const Objective& objective, const std::vector<Points>& families, const FitOptions& options) {
  const std::vector<Points> few = thinned(families);
  const Objective searched(few, options.form, options.joint, options.loss);
  MultiStart found = fit_from(searched, joint_starts(few, options));
  if (few.front().size() == families.front().size() || found.starts_at_best == 0) return found;
  for (Minimum& optimum : found.optima) {
    std::vector<ScalingLaw> laws;
    for (size_t f = 0; f < families.size(); ++f) laws.push_back(searched.law(optimum.theta, f));
    optimum = minimise(objective, objective.theta(laws));
  }
  found.best = *std::min_element(found.optima.begin(), found.optima.end(),
                                 [](const Minimum& x, const Minimum& y) { return x.value < y.value; });
  return found;
}

LawIntervals intervals(const FamilyFit& fit, double confidence) {
  LawIntervals found;
  for (size_t i = 0; i < found.size(); ++i) {
    std::vector<double> values;
    for (const ScalingLaw& law : fit.resampled) values.push_back(law.numbers()[i]);
    found[i] = corrected_interval(fit.law.numbers()[i], std::move(values), confidence, fit.card.freedom);
  }
  return found;
}

LawIntervals normal_intervals(const FamilyFit& fit, double quantile) {
  LawIntervals found;
  const LawNumbers values = fit.law.numbers();
  for (size_t i = 0; i < found.size() && fit.covariance.known; ++i)
    found[i] = {values[i] - quantile * fit.covariance.standard_error[i],
                values[i] + quantile * fit.covariance.standard_error[i]};
  return found;
}

FitCard card_of(const Objective& objective, const MultiStart& found, size_t points, const FitOptions& options) {
  FitCard card{.starts = found.starts, .starts_at_best = found.starts_at_best};
  card.objective = objective.unscaled(found.best.value);
  card.gradient_norm = objective.unscaled(found.best.gradient_norm);
  card.condition = condition_number(objective, found.best.theta);
  card.likelihood = likelihood_of(card.objective, points, objective.size(), options.loss);
  card.by_standard_errors = points > kMostResampled && options.bootstrap.resamples > 0;
  return card;
}

void add_uncertainty(FamilyFit& fit, const Points& points, const FitOptions& options) {
  if (fit.card.by_standard_errors) {
    fit.ci80 = normal_intervals(fit, kNormal80);
    fit.ci = fit.ci95 = normal_intervals(fit, kNormal95);
  } else {
    fit.ci = intervals(fit, options.bootstrap.confidence);
    fit.ci80 = intervals(fit, 0.80);
    fit.ci95 = intervals(fit, 0.95);
  }
  fit.allocations = allocate(fit, points, options.budgets, options.bootstrap.confidence);
}

// Finishes the families that share `objective`, whose best parameters are found.
void finish(std::vector<FamilyFit*>& fits, const std::vector<Points>& families, const Objective& objective,
            const MultiStart& found, const FitOptions& options, const FitProgress& progress) {
  std::vector<std::string> clusters;
  for (const Points& points : families)
    for (const Point& point : points) clusters.push_back(point.family + "\n" + point.cluster);
  FitCard card = card_of(objective, found, clusters.size(), options);
  card.freedom = static_cast<double>(std::set<std::string>(clusters.begin(), clusters.end()).size()) -
                 static_cast<double>(objective.size());
  const std::vector<LawCovariance> covariance = covariances(objective, found.best.theta, clusters);
  std::vector<Theta> starts, resampled;
  for (const Minimum& optimum : found.optima) starts.push_back(optimum.theta);
  if (!card.by_standard_errors)
    resampled = bootstrap_fits(objective, families, starts, options.bootstrap, card, progress);
  for (size_t f = 0; f < fits.size(); ++f) {
    FamilyFit& fit = *fits[f];
    fit.fitted = true, fit.card = card, fit.covariance = covariance[f];
    fit.law = objective.law(found.best.theta, f);
    for (const Theta& theta : resampled) fit.resampled.push_back(objective.law(theta, f));
    fit.card.residual_rms = residual_rms(fit.law, families[f]);
    fit.reasons = fit.card.bounds_hit = limits_hit(fit.law, fit.form, families[f]);
    fit.usable = fit.reasons.empty();
    add_uncertainty(fit, families[f], options);
    if (fits.size() == 1 && fit.points <= kMostResampled)
      fit.floor = profile_floor(families[f], fit.law, fit.card, options);
    fit.warnings = fit_warnings(fit, families[f]);
  }
}

std::vector<double> decades_from_the_largest(const PointSet& set) {
  double most = 0;
  for (const Point& point : set.points) most = std::max(most, point.c);
  return {most, 10 * most, 100 * most};
}

}  // namespace

std::vector<FamilyFit> fit_together(const Families& families, const FitOptions& options, const FitProgress& progress) {
  std::vector<FamilyFit> all;
  for (const auto& [name, points] : families) all.push_back(described(name, points, options.form));
  std::vector<FamilyFit*> fits;
  std::vector<Points> fitted;
  for (size_t f = 0; f < all.size(); ++f)
    if (all[f].reasons.empty()) fits.push_back(&all[f]), fitted.push_back(families[f].second);
  if (fits.empty()) return all;
  const Objective objective(fitted, options.form, options.joint, options.loss);
  const MultiStart found = search(objective, fitted, options);
  if (found.starts_at_best > 0) {
    finish(fits, fitted, objective, found, options, progress);
    return all;
  }
  for (FamilyFit* fit : fits) fit->reasons = {"no start led to a finite objective"};
  return all;
}

FamilyFit fit_family(const std::string& family, const Points& points, const FitOptions& options,
                     const FitProgress& progress) {
  return fit_together({{family, points}}, options, progress).front();
}

std::vector<FamilyFit> fit_families(const PointSet& set, const FitOptions& options) {
  FitOptions with_budgets = options;
  if (with_budgets.budgets.empty()) with_budgets.budgets = set.budgets();
  if (with_budgets.budgets.empty()) with_budgets.budgets = decades_from_the_largest(set);
  ProgressLine line;
  const Families families = set.by_family();
  std::vector<FamilyFit> fits;
  const auto fit = [&](const std::string& what, const Families& which) {
    const auto show = [&](int done, int of) { line.show(fmt::format("fit {}: resample {} of {}", what, done, of)); };
    for (FamilyFit& one : fit_together(which, with_budgets, show)) fits.push_back(std::move(one));
  };
  if (options.joint != Joint::none)
    fit("all families", families);
  else
    for (const auto& family : families) fit(family.first, {family});
  line.clear();
  return fits;
}

}  // namespace hyscale::analysis
