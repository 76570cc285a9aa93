#include "analysis/multi_start.h"

#include <algorithm>
#include <cmath>

namespace hyscale::analysis {
namespace {

constexpr size_t kKeptOptima = 3;
constexpr double kPaddedExponent = 1e-3;  // a start's exponent of 0 would leave its term without a slope

bool as_good(double value, double best) { return value - best <= 1e-6 * (1 + best); }

// Least squares of the relative residual of A u + B v to the reducible loss over A, B >= 0, u = N^-alpha, v = D^-beta.
ScalingLaw with_solved_terms(const std::vector<Point>& points, ScalingLaw law) {
  double uu = 0, uv = 0, vv = 0, ur = 0, vr = 0;
  for (const Point& point : points) {
    const double target = law.gamma == 1 ? point.loss - law.e : std::pow(point.loss - law.e, 1 / law.gamma);
    const double weight = law.gamma == 1 ? point.loss : target;
    const double u = std::pow(point.n, -law.alpha) / weight, v = std::pow(point.d, -law.beta) / weight;
    const double r = target / weight;
    uu += u * u, uv += u * v, vv += v * v, ur += u * r, vr += v * r;
  }
  const double determinant = uu * vv - uv * uv;
  law.a = (ur * vv - vr * uv) / determinant;
  law.b = (vr * uu - ur * uv) / determinant;
  // a term that wants to be negative starts small instead, so that its logarithm exists
  if (!(law.a > 0)) law.b = vr / vv, law.a = 1e-3 * ur / uu;
  if (!(law.b > 0)) law.a = ur / uu, law.b = 1e-3 * vr / vv;
  return law;
}

std::vector<double> floors(const std::vector<Point>& points, const Form& form) {
  if (!form.has_floor()) return {0};
  if (form.kind == Form::Kind::fixed_e) return {form.fixed_floor};
  double least = points.front().loss;
  for (const Point& point : points) least = std::min(least, point.loss);
  return {0.05 * least, 0.35 * least, 0.65 * least, 0.85 * least, 0.96 * least};
}

std::vector<ScalingLaw> projected(const std::vector<Point>& points, const Form& form) {
  const std::vector<double> exponents = {0.1, 0.2, 0.35, 0.55, 0.85, 1.3};
  const bool kaplan = form.kind == Form::Kind::kaplan;
  std::vector<ScalingLaw> laws;
  for (const double gamma : kaplan ? std::vector<double>{0.03, 0.06, 0.1, 0.2, 0.4} : std::vector<double>{1})
    for (const double alpha : exponents)
      for (const double beta : kaplan ? std::vector<double>{1} : exponents) {
        if (form.kind == Form::Kind::shared_exponent && alpha != beta) continue;
        for (const double floor : floors(points, form))
          laws.push_back(with_solved_terms(points, {.e = floor, .alpha = alpha, .beta = beta, .gamma = gamma}));
      }
  return laws;
}

std::vector<ScalingLaw> published(const Form& form) {
  std::vector<ScalingLaw> laws;
  for (double alpha = 0; alpha <= 2; alpha += 0.5)
    for (double beta = 0; beta <= 2; beta += 0.5)
      for (double ln_e = -1; ln_e <= 1; ln_e += 0.5)
        for (double ln_a = 0; ln_a <= 25; ln_a += 5)
          for (double ln_b = 0; ln_b <= 25; ln_b += 5)
            laws.push_back({.e = form.has_floor() ? std::exp(ln_e) : 0,
                            .a = std::exp(ln_a),
                            .b = std::exp(ln_b),
                            .alpha = std::max(alpha, kPaddedExponent),
                            .beta = std::max(beta, kPaddedExponent)});
  return laws;
}

}  // namespace

std::vector<ScalingLaw> starting_laws(const std::vector<Point>& points, const Form& form, StartGrid grid) {
  std::vector<ScalingLaw> laws = projected(points, form);
  if (grid == StartGrid::published)
    for (const ScalingLaw& law : published(form)) laws.push_back(law);
  return laws;
}

MultiStart fit_from(const Objective& objective, const std::vector<std::vector<ScalingLaw>>& starts) {
  std::vector<Minimum> minima(starts.size());
#pragma omp parallel for schedule(dynamic)
  for (size_t i = 0; i < starts.size(); ++i) minima[i] = minimise(objective, objective.theta(starts[i]));
  std::erase_if(minima, [](const Minimum& minimum) { return !std::isfinite(minimum.value); });
  std::stable_sort(minima.begin(), minima.end(), [](const Minimum& x, const Minimum& y) { return x.value < y.value; });
  MultiStart result{.best = {}, .optima = {}, .starts = static_cast<int>(starts.size())};
  if (minima.empty()) return result;
  result.best = minima.front();
  for (const Minimum& minimum : minima) {
    if (as_good(minimum.value, result.best.value)) ++result.starts_at_best;
    const bool known = !result.optima.empty() && as_good(minimum.value, result.optima.back().value);
    if (!known && result.optima.size() < kKeptOptima) result.optima.push_back(minimum);
  }
  return result;
}

Minimum refit(const Objective& objective, const std::vector<Theta>& starts) {
  Minimum best;
  for (const Theta& start : starts) {
    Minimum minimum = polish(objective, start);
    if (&start == &starts.front() || minimum.value < best.value) best = std::move(minimum);
  }
  return best;
}

}  // namespace hyscale::analysis
