#include "analysis/isoflop_redraw.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string_view>
#include <unordered_map>

#include "analysis/axis_search.h"
#include "analysis/least_squares.h"

namespace hyscale::analysis {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr size_t kMostRedrawn = 20'000'000, kFewest = 40;  // points of all redraws together; redraws in any case
constexpr double kOpenEnd = 30;  // a vertex this many times beyond the sizes trained counts as not closed

// A curve that is redrawn: `about` are the losses that noise is added to, `clusters` whose noise each point shares.
struct Redrawn {
  size_t index;
  const IsoFlopCurve& curve;
  AxisSearch along_n, along_d;
  std::vector<double> about;
  std::vector<size_t> clusters;
};

class Redraws {
 public:
  Redraws(const FamilyIsoFlop& family, const IsoFlopOptions& options, size_t family_index) : noise_(family.noise) {
    std::seed_seq seeds{options.bootstrap.seed & 0xffffffff, options.bootstrap.seed >> 32, uint64_t{family_index}};
    random_ = std::mt19937_64(seeds);
    std::unordered_map<std::string_view, size_t> clusters;
    for (size_t i = 0; i < family.curves.size(); ++i) {
      const IsoFlopCurve& curve = family.curves[i];
      if (!curve.fitted || !curve.opens_upwards) continue;
      Redrawn& one = curves_.emplace_back(Redrawn{i,
                                                  curve,
                                                  AxisSearch(curve.points, &Point::n, options.method),
                                                  AxisSearch(curve.points, &Point::d, options.method),
                                                  {},
                                                  {}});
      for (const Point& point : curve.points) {
        one.about.push_back(options.method == IsoFlopMethod::parabola ? curve.parabola.at(point.n) : point.loss);
        one.clusters.push_back(clusters.emplace(point.cluster, clusters.size()).first->second);
      }
      points_ += curve.points.size();
    }
    clusters_ = clusters.size();
    n.resize(family.curves.size()), d.resize(family.curves.size()), loss.resize(family.curves.size());
    const size_t most = kMostRedrawn / std::max<size_t>(points_, 1) + kFewest;
    const int resamples = static_cast<int>(std::min(static_cast<size_t>(options.bootstrap.resamples), most));
    for (int i = 0; i < resamples; ++i) redraw();
  }

  std::vector<std::vector<double>> n = {}, d = {}, loss = {};  // [curve][resample]
  std::vector<double> size_exponent = {}, token_exponent = {};

 private:
  void redraw() {
    const double freedom = noise_.effective_freedom;
    const double spread =
        noise_.deviation * std::sqrt(freedom / std::chi_squared_distribution<double>(freedom)(random_));
    const double own = spread * std::sqrt(1 - noise_.shared), common = spread * std::sqrt(noise_.shared);
    std::normal_distribution<double> normal;
    std::vector<double> of_cluster(noise_.shared > 0 ? clusters_ : 0);
    for (double& value : of_cluster) value = common * normal(random_);
    std::vector<double> budgets, sizes, tokens;
    for (const Redrawn& one : curves_) {
      losses_ = one.about;
      for (double& value : losses_) value += own * normal(random_);
      for (size_t i = 0; i < losses_.size() && !of_cluster.empty(); ++i) losses_[i] += of_cluster[one.clusters[i]];
      const auto [size, token] = add(one);
      if (one.curve.interior && size > 0 && std::isfinite(size) && token > 0 && std::isfinite(token))
        budgets.push_back(one.curve.budget), sizes.push_back(size), tokens.push_back(token);
    }
    size_exponent.push_back(power_law(budgets, sizes).exponent);
    token_exponent.push_back(power_law(budgets, tokens).exponent);
  }

  // N and D of the minimum, 0 or infinite where open.
  std::pair<double, double> add(const Redrawn& one) {
    const AxisMinimum size = one.along_n.minimum(losses_);
    const auto [low, high] = one.along_n.trained();
    const double at = size.at > high * kOpenEnd ? kInfinity : size.at < low / kOpenEnd ? 0 : size.at;
    const bool closed = at > 0 && std::isfinite(at);
    const double tokens = closed ? one.along_d.minimum(losses_).at : at > 0 ? 0 : kInfinity;
    n[one.index].push_back(at), d[one.index].push_back(tokens), loss[one.index].push_back(size.loss);
    return {at, tokens};
  }

  IsoFlopNoise noise_;
  std::mt19937_64 random_;
  std::vector<Redrawn> curves_;
  std::vector<double> losses_;
  size_t points_ = 0, clusters_ = 0;
};

// 1 / variance of the logarithm; 0 where a redraw leaves the optimum open.
double weight_of(const std::vector<double>& replicates) {
  double sum = 0, squares = 0;
  for (const double value : replicates) sum += std::log(value);
  const double mean = sum / static_cast<double>(replicates.size());
  for (const double value : replicates) squares += (std::log(value) - mean) * (std::log(value) - mean);
  const double weight = static_cast<double>(replicates.size()) / squares;
  return std::isfinite(weight) ? weight : 0;
}

void add_weighted(PowerLaw& law, const FamilyIsoFlop& family, const std::vector<std::vector<double>>& replicates,
                  double IsoFlopCurve::*value) {
  std::vector<double> x, y, weights;
  for (size_t i = 0; i < family.curves.size(); ++i) {
    const IsoFlopCurve& curve = family.curves[i];
    const double weight = curve.interior && std::isfinite(curve.d) ? weight_of(replicates[i]) : 0;
    if (weight > 0) x.push_back(std::log(curve.budget)), y.push_back(std::log(curve.*value)), weights.push_back(weight);
  }
  if (x.size() >= 2) law.weighted_exponent = fit_line(x, y, weights).slope;
}

}  // namespace

void add_intervals(FamilyIsoFlop& family, size_t index, const IsoFlopOptions& options) {
  if (family.noise.degrees_of_freedom == 0) {
    family.warnings.emplace_back(
        "no budget has more than three points, so that nothing is left to estimate noise from: no intervals; add "
        "sizes to a budget");
    return;
  }
  const double confidence = options.bootstrap.confidence;
  Redraws redraws(family, options, index);
  add_weighted(family.size_law, family, redraws.n, &IsoFlopCurve::n);
  add_weighted(family.token_law, family, redraws.d, &IsoFlopCurve::d);
  for (size_t i = 0; i < family.curves.size(); ++i) {
    IsoFlopCurve& curve = family.curves[i];
    curve.n_interval = percentile_interval(std::move(redraws.n[i]), confidence);
    curve.d_interval = percentile_interval(std::move(redraws.d[i]), confidence);
    curve.loss_interval = percentile_interval(redraws.loss[i], confidence);
    curve.loss_replicates = std::move(redraws.loss[i]);
  }
  const auto set_intervals = [&](PowerLaw& law, const std::vector<double>& exponents) {
    law.exponent_interval = percentile_interval(exponents, confidence);
    law.exponent_ci80 = percentile_interval(exponents, 0.80);
    law.exponent_ci95 = percentile_interval(exponents, 0.95);
  };
  set_intervals(family.size_law, redraws.size_exponent);
  set_intervals(family.token_law, redraws.token_exponent);
}

}  // namespace hyscale::analysis
