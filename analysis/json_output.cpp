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

static json parameters_of(const FamilyFit& fit) {
  const auto value = [](double number, const Interval& interval) {
    return json{{"value", number_or_null(number)}, {"interval", to_json(interval)}};
  };
  return {{"E", value(fit.law.e, fit.e)},
          {"A", value(fit.law.a, fit.a)},
          {"B", value(fit.law.b, fit.b)},
          {"alpha", value(fit.law.alpha, fit.alpha)},
          {"beta", value(fit.law.beta, fit.beta)},
          {"a", value(fit.law.size_exponent(), fit.size_exponent)},
          {"b", value(fit.law.token_exponent(), fit.token_exponent)}};
}

json to_json(const FamilyFit& fit) {
  json out = {{"family", fit.family},
              {"points", fit.points},
              {"clusters", fit.clusters},
              {"sizes", fit.sizes},
              {"token_counts", fit.token_counts},
              {"usable", fit.usable},
              {"reasons", fit.reasons},
              {"warnings", fit.warnings}};
  if (fit.card.starts > 0)
    out["card"] = {{"starts", fit.card.starts},
                   {"starts_within_1e-6_of_best", fit.card.starts_at_best},
                   {"objective", number_or_null(fit.card.objective)},
                   {"gradient_norm", number_or_null(fit.card.gradient_norm)},
                   {"condition_number", number_or_null(fit.card.condition)},
                   {"residual_rms_of_log_loss", number_or_null(fit.card.residual_rms)},
                   {"resamples", fit.card.resamples},
                   {"resamples_left_out", fit.card.resamples_left_out},
                   {"bounds_hit", fit.card.bounds_hit}};
  if (!fit.usable) return out;
  out["parameters"] = parameters_of(fit);
  out["compute_optimal"] = json::array();
  for (const Allocation& at : fit.allocations)
    out["compute_optimal"].push_back({{"budget", at.budget},
                                      {"n", number_or_null(at.n)},
                                      {"n_interval", to_json(at.n_interval)},
                                      {"d", number_or_null(at.d)},
                                      {"d_interval", to_json(at.d_interval)},
                                      {"loss", number_or_null(at.loss)},
                                      {"loss_interval", to_json(at.loss_interval)},
                                      {"log10_extrapolation", at.extrapolation}});
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
  json out = {{"budget", curve.budget}, {"fitted", curve.fitted}, {"points", points}, {"warnings", curve.warnings}};
  if (!curve.fitted) return out;
  out["parabola"] = {{"c0", curve.parabola.c0},
                     {"c1", curve.parabola.c1},
                     {"c2", curve.parabola.c2},
                     {"center_ln_n", curve.parabola.center}};
  out["opens_upwards"] = curve.opens_upwards;
  out["interior_minimum"] = curve.interior;
  out["sizes_below"] = curve.sizes_below;
  out["sizes_above"] = curve.sizes_above;
  out["n"] = number_or_null(curve.n);
  out["n_interval"] = to_json(curve.n_interval);
  out["n_within_0.1_percent_of_loss"] = to_json(curve.plateau);
  out["d"] = number_or_null(curve.d);
  out["d_interval"] = to_json(curve.d_interval);
  out["loss"] = number_or_null(curve.loss);
  out["loss_interval"] = to_json(curve.loss_interval);
  return out;
}

json to_json(const FamilyIsoFlop& family) {
  json curves = json::array();
  for (const IsoFlopCurve& curve : family.curves) curves.push_back(to_json(curve));
  return {{"family", family.family},
          {"curves", curves},
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

}  // namespace hyscale::analysis
