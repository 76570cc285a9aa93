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
  return {{"source", set.source},     {"n_is", set.n_name},     {"c_is", set.c_name},
          {"loss_is", set.loss_name}, {"notices", set.notices}, {"points", points}};
}

static json pair_of(const Interval& interval) {
  if (!interval.known()) return nullptr;
  return json::array({number_or_null(interval.low), number_or_null(interval.high)});
}

static std::vector<size_t> numbers_of(const Form& form) {
  std::vector<size_t> numbers;
  for (size_t i = 0; i < kLawNames.size(); ++i)
    if (form.uses(static_cast<LawNumber>(i))) numbers.push_back(i);
  return numbers;
}

static json by_name(const LawIntervals& intervals, const Form& form) {
  json out;
  for (const size_t i : numbers_of(form)) out[kLawNames[i]] = pair_of(intervals[i]);
  return out;
}

static json to_json(const Spending& at) {
  return {{"n", number_or_null(at.n)},
          {"n_interval", to_json(at.n_interval)},
          {"d", number_or_null(at.d)},
          {"d_interval", to_json(at.d_interval)},
          {"tokens_per_parameter", number_or_null(at.tokens_per_parameter())},
          {"loss", number_or_null(at.loss)},
          {"loss_interval", to_json(at.loss_interval)},
          {"n_within_1_percent_of_compute", to_json(at.plateau)},
          {"ci80",
           {{"n", pair_of(at.n_ci80)}, {"d", pair_of(at.d_ci80)}, {"tokens_per_parameter", pair_of(at.ratio_ci80)}}},
          {"ci95",
           {{"n", pair_of(at.n_ci95)}, {"d", pair_of(at.d_ci95)}, {"tokens_per_parameter", pair_of(at.ratio_ci95)}}}};
}

static json to_json(const std::vector<Allocation>& allocations) {
  json list = json::array();
  for (const Allocation& at : allocations) {
    json& one = list.emplace_back(to_json(static_cast<const Spending&>(at)));
    one["budget"] = at.budget;
    one["log10_extrapolation"] = at.extrapolation;
    one["six_n_d"] = to_json(at.six_n_d);
  }
  return list;
}

// What was found, for whoever judges it: also of a fit that is not usable.
static void add_numbers(json& out, const FamilyFit& fit) {
  const LawNumbers values = fit.law.numbers();
  for (const size_t i : numbers_of(fit.form)) {
    out[kLawNames[i]] = number_or_null(values[i]);
    out["se"][kLawNames[i]] = fit.covariance.known ? number_or_null(fit.covariance.standard_error[i]) : json(nullptr);
  }
  out["ci"] = by_name(fit.ci, fit.form);
  out["ci80"] = by_name(fit.ci80, fit.form);
  out["ci95"] = by_name(fit.ci95, fit.form);
  out["correlation"] = nullptr;
  if (fit.covariance.known)
    out["correlation"] = {{"names", {"E", "A", "B", "alpha", "beta"}}, {"matrix", fit.covariance.correlation}};
  out["objective"] = number_or_null(fit.card.objective);
  out["gradient_norm"] = number_or_null(fit.card.gradient_norm);
  out["condition"] = number_or_null(fit.card.condition);
  out["starts"] = fit.card.starts;
  out["starts_at_best"] = fit.card.starts_at_best;
  out["parameters"] = fit.card.likelihood.parameters;
  out["minus_twice_log_likelihood"] = number_or_null(fit.card.likelihood.minus_twice_log);
  out["aic"] = number_or_null(fit.card.likelihood.aic());
  out["profile"] = nullptr;
  if (fit.floor.ci95.known()) out["profile"]["E"] = {{"ci95", pair_of(fit.floor.ci95)}, {"curve", fit.floor.curve}};
  out["residual_rms"] = number_or_null(fit.card.residual_rms);
  out["resamples"] = fit.card.resamples;
  out["resamples_left_out"] = fit.card.resamples_left_out;
  out["bounds_hit"] = fit.card.bounds_hit;
  out["compute_optimal"] = to_json(fit.allocations);
}

json to_json(const FamilyFit& fit) {
  json out = {{"family", fit.family},
              {"form", name_of(fit.form.kind)},
              {"n_points", fit.points},
              {"clusters", fit.clusters},
              {"sizes", fit.sizes},
              {"token_counts", fit.token_counts},
              {"usable", fit.usable},
              {"reasons", fit.reasons},
              {"warnings", fit.fitted ? fit.warnings : fit.reasons}};
  if (fit.fitted) add_numbers(out, fit);
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
              {"d_at_n_opt", number_or_null(curve.d_by_cost)},
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
          {"ci80", {{"a", pair_of(family.size_law.exponent_ci80)}, {"b", pair_of(family.token_law.exponent_ci80)}}},
          {"weighted",
           {{"a", number_or_null(family.size_law.weighted_exponent)},
            {"b", number_or_null(family.token_law.weighted_exponent)}}},
          {"ci95", {{"a", pair_of(family.size_law.exponent_ci95)}, {"b", pair_of(family.token_law.exponent_ci95)}}},
          {"budgets", budgets},
          {"noise", number_or_null(family.noise.deviation)},
          {"noise_shared_by_clusters", family.noise.shared},
          {"irregular", family.irregular},
          {"degrees_of_freedom", family.noise.degrees_of_freedom},
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
  out["warnings"] = set.warnings;
  if (set.has_families) {
    for (const T& item : items) out["families"][item.family] = to_json(item);
    return;
  }
  json only = to_json(items.front());
  for (json& warning : only["warnings"]) out["warnings"].push_back(std::move(warning));
  only.erase("warnings");
  out.update(only);
}
template void add_families(json& out, const PointSet& set, const std::vector<FamilyFit>& items);
template void add_families(json& out, const PointSet& set, const std::vector<FamilyIsoFlop>& items);

json to_json(const LikelihoodRatio& ratio) {
  return {{"statistic", number_or_null(ratio.statistic)}, {"freedom", ratio.freedom}, {"p", number_or_null(ratio.p)}};
}

void add_shared(json& out, const JointFit& fit) {
  out["joint"] = name_of(fit.joint);
  const FamilyFit* first = nullptr;
  size_t points = 0;
  for (const FamilyFit& family : fit.families)
    if (family.fitted) first = first == nullptr ? &family : first, points += family.points;
  if (first == nullptr) return;
  const json numbers = to_json(*first);
  std::vector<std::string> shared;
  if (fit.joint != Joint::exponents) shared.emplace_back("E");
  if (fit.joint != Joint::floor) shared.insert(shared.end(), {"alpha", "beta", "a", "b"});
  for (const std::string& name : shared) {
    out[name] = numbers[name];
    for (const char* part : {"se", "ci", "ci80", "ci95"}) out[part][name] = numbers[part][name];
  }
  for (const char* name : {"form", "objective", "gradient_norm", "condition", "starts", "starts_at_best", "parameters",
                           "minus_twice_log_likelihood", "aic", "resamples", "resamples_left_out"})
    out[name] = numbers[name];
  out["n_points"] = points;
  out["aic_of_separate_laws"] = number_or_null(fit.separate.aic());
  out["likelihood_ratio_to_separate_laws"] = to_json(likelihood_ratio(first->card.likelihood, fit.separate));
}

json to_json(const Foretold& foretold) {
  json points = json::array();
  for (const auto& [point, loss] : foretold.points)
    points.push_back({{"run", point.run},
                      {"n", point.n},
                      {"d", point.d},
                      {"c", point.c},
                      {"loss", point.loss},
                      {"predicted", number_or_null(loss)}});
  return {{"n_points", foretold.points.size()},
          {"rms_of_ln", number_or_null(foretold.rms)},
          {"bias_of_ln", number_or_null(foretold.bias)},
          {"log10_extrapolation", number_or_null(foretold.decades)},
          {"points", points}};
}

json to_json(const FamilyPair& pair) {
  json multipliers = json::array();
  for (const ComputeMultiplier& at : pair.multipliers)
    multipliers.push_back(
        {{"flops", at.flops}, {"loss", at.loss}, {"multiplier", at.value}, {"ci95", pair_of(at.ci95)}});
  return {{"reference", pair.reference},
          {"family", pair.other},
          {"compute_multiplier", multipliers},
          {"crossover_flops", number_or_null(pair.crossover)},
          {"crossover_ci95", pair_of(pair.crossover_ci95)},
          {"share_of_resamples_that_cross", number_or_null(pair.crossing_share)},
          {"paired",
           {{"pairs", pair.paired.pairs},
            {"lower", pair.paired.other_lower},
            {"mean_difference", number_or_null(pair.paired.mean)},
            {"ci95", pair_of(pair.paired.ci95)},
            {"p", number_or_null(pair.paired.p)}}}};
}

json to_json(const Envelope& envelope) {
  json places = json::array();
  for (const Envelope::Place& at : envelope.places)
    places.push_back({{"flops", at.flops}, {"n", at.n}, {"d", at.d}, {"loss", at.loss}, {"run", at.run}});
  return {{"a", exponent(envelope.size_law)},
          {"b", exponent(envelope.token_law)},
          {"ci95", {{"a", pair_of(envelope.size_law.exponent_ci95)}, {"b", pair_of(envelope.token_law.exponent_ci95)}}},
          {"envelope", places},
          {"warnings", envelope.warnings}};
}

}  // namespace hyscale::analysis
