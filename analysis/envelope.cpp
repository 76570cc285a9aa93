#include "analysis/envelope.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <random>

#include "analysis/cost_curve.h"
#include "analysis/least_squares.h"

namespace hyscale::analysis {
namespace {

constexpr size_t kPlaces = 200;

using Curves = std::vector<const RunCurve*>;

// Loss and tokens at some FLOPs by interpolation in logarithms; no value outside the run.
bool interpolate(const RunCurve& curve, double flops, double& loss, double& tokens) {
  const auto right = std::lower_bound(curve.at.begin(), curve.at.end(), flops,
                                      [](const RunCurve::At& at, double c) { return at.c < c; });
  if (right == curve.at.end() || (right == curve.at.begin() && right->c > flops)) return false;
  const auto left = right == curve.at.begin() ? right : right - 1;
  const double share = left == right ? 0 : std::log(flops / left->c) / std::log(right->c / left->c);
  loss = std::exp(std::lerp(std::log(left->loss), std::log(right->loss), share));
  tokens = std::exp(std::lerp(std::log(left->d), std::log(right->d), share));
  return true;
}

std::vector<Envelope::Place> lowest(const Curves& curves) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const RunCurve* curve : curves)
    low = std::min(low, curve->at.front().c), high = std::max(high, curve->at.back().c);
  std::vector<Envelope::Place> places;
  for (size_t i = 0; i < kPlaces; ++i) {
    const double flops = std::exp(std::lerp(std::log(low), std::log(high), static_cast<double>(i) / (kPlaces - 1)));
    Envelope::Place best{.flops = flops, .loss = std::numeric_limits<double>::infinity()};
    for (const RunCurve* curve : curves)
      if (double loss = 0, tokens = 0; interpolate(*curve, flops, loss, tokens) && loss < best.loss)
        best.n = curve->n, best.d = tokens, best.loss = loss, best.run = curve->run;
    if (best.n > 0) places.push_back(best);
  }
  return places;
}

// Only budgets at which the smallest and the largest size both lose say where the optimum is.
PowerLaw law_through(const std::vector<Envelope::Place>& places, double Envelope::Place::*value, double smallest,
                     double largest) {
  std::vector<double> x, y;
  for (const Envelope::Place& place : places)
    if (place.n > smallest && place.n < largest)
      x.push_back(std::log(place.flops)), y.push_back(std::log(place.*value));
  PowerLaw law{.budgets = x.size()};
  if (x.size() < 2) return law;
  const Line line = fit_line(x, y);
  law.known = true, law.exponent = line.slope, law.log_factor = line.offset;
  return law;
}

void fit_laws(Envelope& envelope, const Curves& curves) {
  envelope.places = lowest(curves);
  double smallest = curves.front()->n, largest = smallest;
  for (const RunCurve* curve : curves) smallest = std::min(smallest, curve->n), largest = std::max(largest, curve->n);
  envelope.size_law = law_through(envelope.places, &Envelope::Place::n, smallest, largest);
  envelope.token_law = law_through(envelope.places, &Envelope::Place::d, smallest, largest);
}

void add_intervals(Envelope& envelope, const Curves& curves, const BootstrapOptions& options, size_t index) {
  std::seed_seq seeds{options.seed & 0xffffffff, options.seed >> 32, uint64_t{index}};
  std::mt19937_64 random(seeds);
  std::uniform_int_distribution<size_t> pick(0, curves.size() - 1);
  std::vector<double> a, b;
  const int resamples = std::min(options.resamples, 400);  // envelopes are slow to make, and rough
  for (int i = 0; i < resamples; ++i) {
    Curves drawn;
    for (size_t k = 0; k < curves.size(); ++k) drawn.push_back(curves[pick(random)]);
    Envelope redrawn;
    fit_laws(redrawn, drawn);
    a.push_back(redrawn.size_law.exponent), b.push_back(redrawn.token_law.exponent);
  }
  const auto set = [&](PowerLaw& law, const std::vector<double>& values) {
    law.exponent_interval = percentile_interval(values, options.confidence);
    law.exponent_ci80 = percentile_interval(values, 0.80);
    law.exponent_ci95 = percentile_interval(values, 0.95);
  };
  set(envelope.size_law, a), set(envelope.token_law, b);
}

Envelope envelope_of(const std::string& family, const Curves& curves, const BootstrapOptions& options, size_t index) {
  Envelope envelope{.family = family};
  fit_laws(envelope, curves);
  std::map<double, size_t> sizes;
  for (const RunCurve* curve : curves) ++sizes[curve->n];
  if (!envelope.size_law.known)
    envelope.warnings.push_back(fmt::format(
        "{} sizes: none but the smallest and the largest is ever lowest, so that no optimum is seen; add sizes between",
        sizes.size()));
  else
    add_intervals(envelope, curves, options, index);
  envelope.warnings.emplace_back(
      "losses before the end of a learning-rate schedule lie above those of runs made for that budget: approach 1 "
      "leans towards small models unless the rate is constant; compare with analyze fit");
  return envelope;
}

}  // namespace

std::vector<RunCurve> curves_of(const PointSet& set) {
  std::map<std::pair<std::string, std::string>, RunCurve> runs;
  for (const Point& point : set.points) {
    RunCurve& curve = runs[{point.family, point.run}];
    curve.family = point.family, curve.run = point.run, curve.n = point.n;
    curve.at.push_back({point.d, point.c, point.loss});
  }
  std::vector<RunCurve> curves;
  for (auto& [key, curve] : runs) {
    std::sort(curve.at.begin(), curve.at.end(), [](const RunCurve::At& x, const RunCurve::At& y) { return x.c < y.c; });
    if (curve.at.size() > 1) curves.push_back(std::move(curve));
  }
  return curves;
}

std::vector<RunCurve> curves_of(const Dataset& data) {
  std::map<std::string, CostCurve> costs;
  for (const auto& [family, points] : data.set.by_family()) costs.emplace(family, points);
  std::vector<RunCurve> curves;
  for (const TrainingCurve& curve : data.curves) {
    const auto cost = costs.find(curve.family);
    if (cost == costs.end() || curve.loss_at.size() < 2) continue;
    RunCurve& run = curves.emplace_back(RunCurve{.family = curve.family, .run = curve.run, .n = curve.n});
    for (const auto& [tokens, loss] : curve.loss_at)
      run.at.push_back({tokens, tokens * cost->second.flops_per_token(curve.n), loss});
  }
  return curves;
}

std::vector<Envelope> envelopes(const std::vector<RunCurve>& curves, const BootstrapOptions& options) {
  std::map<std::string, Curves> families;
  for (const RunCurve& curve : curves) families[curve.family].push_back(&curve);
  std::vector<Envelope> all;
  for (const auto& [family, runs] : families) all.push_back(envelope_of(family, runs, options, all.size()));
  return all;
}

}  // namespace hyscale::analysis
