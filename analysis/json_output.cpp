#include "analysis/json_output.h"

#include <cmath>

#include <nlohmann/json.hpp>

namespace hyscale::analysis {

using nlohmann::json;

json number_or_null(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

json to_json(const Interval& interval) {
  if (!interval.known()) return nullptr;
  json out = {{"low", number_or_null(interval.low)}, {"high", number_or_null(interval.high)}};
  if (std::isinf(interval.low)) out["open"].push_back("low");
  if (std::isinf(interval.high)) out["open"].push_back("high");
  return out;
}

json to_json(const PointSet& set) {
  json points = json::array();
  for (const Point& p : set.points)
    points.push_back({{"family", p.family},
                      {"size", p.size},
                      {"budget", p.budget},
                      {"n", p.n},
                      {"d", p.d},
                      {"c", p.c},
                      {"loss", p.loss},
                      {"se", number_or_null(p.standard_error)},
                      {"run", p.run},
                      {"cluster", p.cluster}});
  return {
      {"source", set.source}, {"n_is", set.n_name}, {"c_is", set.c_name}, {"notices", set.notices}, {"points", points}};
}

static json pair_of(const Interval& interval) {
  if (!interval.known()) return nullptr;
  return json::array({number_or_null(interval.low), number_or_null(interval.high)});
}

static json by_name(const LawIntervals& intervals) {
  json out;
  for (size_t i = 0; i < intervals.size(); ++i) out[kLawNames[i]] = pair_of(intervals[i]);
  return out;
}

static json to_json(const std::vector<Allocation>& allocations) {
  json list = json::array();
  for (const Allocation& at : allocations)
    list.push_back({{"budget", at.budget},
                    {"n", number_or_null(at.n)},
                    {"n_interval", to_json(at.n_interval)},
                    {"d", number_or_null(at.d)},
                    {"d_interval", to_json(at.d_interval)},
                    {"loss", number_or_null(at.loss)},
                    {"loss_interval", to_json(at.loss_interval)},
                    {"log10_extrapolation", at.extrapolation}});
  return list;
}

// What was found, for whoever judges it: also of a fit that is not usable.
static void add_numbers(json& out, const FamilyFit& fit) {
  const LawNumbers values = fit.law.numbers();
  for (size_t i = 0; i < values.size(); ++i) {
    out[kLawNames[i]] = number_or_null(values[i]);
    out["se"][kLawNames[i]] = fit.covariance.known ? number_or_null(fit.covariance.standard_error[i]) : json(nullptr);
  }
  out["ci"] = by_name(fit.ci);
  out["ci80"] = by_name(fit.ci80);
  out["ci95"] = by_name(fit.ci95);
  out["correlation"] = nullptr;
  if (fit.covariance.known)
    out["correlation"] = {{"names", {"E", "A", "B", "alpha", "beta"}}, {"matrix", fit.covariance.correlation}};
  out["objective"] = number_or_null(fit.card.objective);
  out["gradient_norm"] = number_or_null(fit.card.gradient_norm);
  out["condition"] = number_or_null(fit.card.condition);
  out["starts"] = fit.card.starts;
  out["starts_at_best"] = fit.card.starts_at_best;
  out["residual_rms"] = number_or_null(fit.card.residual_rms);
  out["resamples"] = fit.card.resamples;
  out["resamples_left_out"] = fit.card.resamples_left_out;
  out["bounds_hit"] = fit.card.bounds_hit;
  out["compute_optimal"] = to_json(fit.allocations);
}

json to_json(const FamilyFit& fit) {
  json out = {{"family", fit.family},     {"form", "chinchilla"},   {"n_points", fit.points},
              {"clusters", fit.clusters}, {"sizes", fit.sizes},     {"token_counts", fit.token_counts},
              {"usable", fit.usable},     {"reasons", fit.reasons}, {"warnings", fit.warnings}};
  if (fit.card.starts > 0) add_numbers(out, fit);
  return out;
}

static json to_json(const PowerLaw& law) {
  if (!law.known) return nullptr;
  return {{"exponent", law.exponent},
          {"exponent_interval", to_json(law.exponent_interval)},
          {"factor", std::exp(law.log_factor)},
          {"budgets", law.budgets}};
}

static json to_json(const IsoFlopCurve& curve) {
  json points = json::array();
  for (const Point& p : curve.points)
    points.push_back({{"n", p.n},
                      {"loss", p.loss},
                      {"residual", curve.fitted ? number_or_null(p.loss - curve.parabola.at(p.n)) : json(nullptr)},
                      {"run", p.run}});
  json out = {{"flops", curve.budget},
              {"fitted", curve.fitted},
              {"interior", curve.interior},
              {"n_opt", number_or_null(curve.n)},
              {"d_opt", number_or_null(curve.d)},
              {"loss_opt", number_or_null(curve.loss)},
              {"points", points},
              {"warnings", curve.warnings}};
  if (!curve.fitted) return out;
  out["parabola"] = {{"c0", curve.parabola.c0},
                     {"c1", curve.parabola.c1},
                     {"c2", curve.parabola.c2},
                     {"center_ln_n", curve.parabola.center}};
  out["opens_upwards"] = curve.opens_upwards;
  out["sizes_below"] = curve.sizes_below;
  out["sizes_above"] = curve.sizes_above;
  out["n_interval"] = to_json(curve.n_interval);
  out["n_within_0.1_percent_of_loss"] = to_json(curve.plateau);
  out["d_interval"] = to_json(curve.d_interval);
  out["loss_interval"] = to_json(curve.loss_interval);
  return out;
}

static json exponent(const PowerLaw& law) { return law.known ? number_or_null(law.exponent) : json(nullptr); }

json to_json(const FamilyIsoFlop& family) {
  json budgets = json::array();
  for (const IsoFlopCurve& curve : family.curves) budgets.push_back(to_json(curve));
  return {{"family", family.family},
          {"a", exponent(family.size_law)},
          {"b", exponent(family.token_law)},
          {"ci95", {{"a", pair_of(family.size_law.exponent_ci95)}, {"b", pair_of(family.token_law.exponent_ci95)}}},
          {"budgets", budgets},
          {"noise", number_or_null(family.noise)},
          {"irregular", family.irregular},
          {"degrees_of_freedom", family.degrees_of_freedom},
          {"size_law", to_json(family.size_law)},
          {"token_law", to_json(family.token_law)},
          {"warnings", family.warnings}};
}

template <class T>
json list_to_json(const std::vector<T>& items) {
  json list = json::array();
  for (const T& item : items) list.push_back(to_json(item));
  return list;
}
template json list_to_json(const std::vector<FamilyFit>& items);
template json list_to_json(const std::vector<FamilyIsoFlop>& items);

template <class T>
void add_families(json& out, const PointSet& set, const std::vector<T>& items) {
  if (!set.has_families) return out.update(to_json(items.front()));
  for (const T& item : items) out["families"][item.family] = to_json(item);
}
template void add_families(json& out, const PointSet& set, const std::vector<FamilyFit>& items);
template void add_families(json& out, const PointSet& set, const std::vector<FamilyIsoFlop>& items);

}  // namespace hyscale::analysis
