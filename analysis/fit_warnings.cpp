#include "analysis/fit_warnings.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "analysis/number_text.h"

namespace hyscale::analysis {
namespace {

constexpr double kLeastExponent = 0.02, kLargestExponent = 3;
constexpr double kClaim = 0.1;  // half-width of a beyond which "N grows like C^a" decides nothing

double least_loss(const std::vector<Point>& points) {
  return std::min_element(points.begin(), points.end(), [](const Point& x, const Point& y) { return x.loss < y.loss; })
      ->loss;
}

double most_loss(const std::vector<Point>& points) {
  return std::max_element(points.begin(), points.end(), [](const Point& x, const Point& y) { return x.loss < y.loss; })
      ->loss;
}

void warn_of_few(const FamilyFit& fit, const std::vector<Point>& points, std::vector<std::string>& warnings) {
  if (fit.points < 2 * fit.form.parameters())
    warnings.push_back(
        fmt::format("only {} points for {} parameters; add sizes or budgets", fit.points, fit.form.parameters()));
  if (fit.card.resamples > 0 && fit.clusters < 10)
    warnings.push_back(
        fmt::format("only {} independent clusters: the bootstrap interval is rough and tends to be too narrow; more "
                    "sizes or seeds mend that",
                    fit.clusters));
  const auto [low, high] =
      std::minmax_element(points.begin(), points.end(), [](const Point& x, const Point& y) { return x.c < y.c; });
  if (high->c < 1.05 * low->c)
    warnings.push_back(
        fmt::format("all points lie at one budget, {} FLOPs: N and D change only against each other, so that E, alpha "
                    "and beta rest on the curvature alone; add budgets",
                    short_flops(high->c)));
  else if (high->c < 10 * low->c)
    warnings.push_back(
        fmt::format("budgets span a factor of {:.2g} only: exponents need a decade or more; add smaller "
                    "or larger budgets",
                    high->c / low->c));
}

void warn_of_search(const FamilyFit& fit, std::vector<std::string>& warnings) {
  if (fit.card.starts_at_best < 5)
    warnings.push_back(
        fmt::format("only {} of {} starts reached the best objective: the surface is rough; try "
                    "--starts published, and --delta 1e-2",
                    fit.card.starts_at_best, fit.card.starts));
  if (fit.card.condition > 1e10)
    warnings.push_back(fmt::format(
        "condition number {:.1e}: some parameters trade off against each other; trust predictions more than the "
        "parameters",
        fit.card.condition));
  if (fit.card.resamples_left_out > 0)
    warnings.push_back(
        fmt::format("{} resamples had no finite fit and were left out: the intervals are too narrow; add "
                    "sizes or budgets",
                    fit.card.resamples_left_out));
  if (fit.card.by_standard_errors)
    warnings.push_back(
        fmt::format("{} points are too many to resample: the intervals are those of the standard "
                    "errors; if many rows are checkpoints of one run, name it with --columns cluster=…",
                    fit.points));
}

void warn_of_weak(const FamilyFit& fit, std::vector<std::string>& warnings) {
  const auto check = [&](LawNumber number, const char* axis) {
    const double value = fit.law.numbers()[number], error = fit.covariance.standard_error[number];
    const Interval& ci = fit.ci95[number];
    const bool by_error = fit.covariance.known && error > 0.5 * std::abs(value);
    const bool by_interval = ci.known() && (ci.low < kLeastExponent || ci.high - ci.low > 2 * std::abs(value));
    if (by_error || by_interval)
      warnings.push_back(
          fmt::format("{} = {:.3g} is not identified: its 95% interval is {} (standard error {:.2g}); "
                      "spread the {} further apart, or fix E (--form fixed-E) or share exponents "
                      "(--form shared-exponent)",
                      kLawNames[number], value, interval_text(ci, Quantity::general), error, axis));
  };
  check(kAlpha, "sizes");
  if (fit.form.kind != Form::Kind::kaplan && fit.form.kind != Form::Kind::shared_exponent) check(kBeta, "token counts");
  const Interval& a = fit.ci95[kSizeExponent];
  if (a.known() && a.high - a.low > 2 * kClaim)
    warnings.push_back(
        fmt::format("the 95% interval of a, {}, is wider than the claim: whether N or D should grow faster is open; "
                    "more runs at larger budgets narrow it",
                    interval_text(a, Quantity::general)));
  if (fit.floor.ci95.known() && fit.floor.ci95.low == 0)
    warnings.emplace_back(
        "the profile likelihood excludes no E between 0 and the best: the floor is not measured; add larger runs, or "
        "fix E from elsewhere (--form fixed-E)");
}

}  // namespace

std::vector<std::string> why_unfit(const FamilyFit& fit, const std::vector<Point>& points) {
  std::vector<std::string> reasons;
  const size_t parameters = fit.form.parameters();
  if (fit.points < parameters + 1)
    reasons.push_back(
        fmt::format("{} points, but {} parameters need at least {}", fit.points, parameters, parameters + 1));
  if (fit.sizes < 3)
    reasons.push_back(fmt::format("{} distinct model sizes, but alpha and A need at least 3", fit.sizes));
  if (fit.token_counts < 3)
    reasons.push_back(fmt::format("{} distinct token counts, but beta and B need at least 3", fit.token_counts));
  if (!points.empty() && most_loss(points) - least_loss(points) < 1e-9 * most_loss(points))
    reasons.push_back(
        fmt::format("all losses are {:.6g}: nothing changes with N or D; check the column that feeds "
                    "'loss'",
                    points.front().loss));
  if (fit.form.kind == Form::Kind::fixed_e && !points.empty() && !(fit.form.fixed_floor < least_loss(points)))
    reasons.push_back(
        fmt::format("E is fixed at {:.6g}, but the lowest loss is {:.6g}", fit.form.fixed_floor, least_loss(points)));
  return reasons;
}

std::vector<std::string> limits_hit(const ScalingLaw& law, const Form& form, const std::vector<Point>& points) {
  const double least = least_loss(points);
  std::vector<std::string> hit;
  if (form.has_floor() && form.kind != Form::Kind::fixed_e) {
    if (law.e < 1e-3 * least)
      hit.push_back(
          fmt::format("E = {:.3g} ran to zero: the data show no floor; add larger runs, or fix E from "
                      "elsewhere (--form fixed-E)",
                      law.e));
    if (law.e > 0.9999 * least)
      hit.push_back(
          fmt::format("E = {:.4g} reached the lowest loss measured, {:.4g}: look at that run, and add "
                      "larger ones",
                      law.e, least));
  }
  const auto check = [&](const char* name, const char* axis, double exponent) {
    if (exponent < kLeastExponent || exponent > kLargestExponent)
      hit.push_back(fmt::format("{} = {:.3g} left [{}, {}]: the data do not identify it; spread the {} further apart",
                                name, exponent, kLeastExponent, kLargestExponent, axis));
  };
  check("alpha", "sizes", law.alpha);
  check("beta", "token counts", law.beta);
  return hit;
}

std::vector<std::string> fit_warnings(const FamilyFit& fit, const std::vector<Point>& points) {
  std::vector<std::string> warnings = fit.card.bounds_hit;
  warn_of_few(fit, points, warnings);
  warn_of_search(fit, warnings);
  warn_of_weak(fit, warnings);
  return warnings;
}

}  // namespace hyscale::analysis
