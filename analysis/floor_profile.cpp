#include "analysis/floor_profile.h"

#include <algorithm>
#include <cmath>

namespace hyscale::analysis {
namespace {

constexpr double kRise = 3.841458820694124;  // 95 % of chi-squared with one degree of freedom
constexpr int kHalvings = 25;
constexpr int kCurvePoints = 21;

class Profile {
 public:
  Profile(const std::vector<Point>& points, const ScalingLaw& best, const FitCard& card, const FitOptions& options)
      : points_(points), best_(best), lowest_(card.likelihood.minus_twice_log), options_(options) {}

  double rise(double floor) const {
    Form form{.kind = Form::Kind::fixed_e, .fixed_floor = floor};
    const Objective objective({points_}, form, Joint::none, options_.loss);
    const Minimum minimum = minimise(objective, objective.theta({best_}));
    return likelihood_of(objective.unscaled(minimum.value), points_.size(), form.parameters(), options_.loss)
               .minus_twice_log -
           lowest_;
  }

  // Where the rise crosses kRise between the best E and `far`, which lies beyond it.
  double crossing(double far) const {
    double near = best_.e;
    for (int i = 0; i < kHalvings; ++i) {
      const double middle = (near + far) / 2;
      (rise(middle) > kRise ? far : near) = middle;
    }
    return (near + far) / 2;
  }

 private:
  const std::vector<Point>& points_;
  const ScalingLaw& best_;
  double lowest_;
  const FitOptions& options_;
};

}  // namespace

FloorProfile profile_floor(const std::vector<Point>& points, const ScalingLaw& best, const FitCard& card,
                           const FitOptions& options) {
  FloorProfile found;
  if (options.form.kind != Form::Kind::chinchilla) return found;
  double least = points.front().loss;
  for (const Point& point : points) least = std::min(least, point.loss);
  const double lowest = 1e-6 * least, highest = (1 - 1e-9) * least;
  if (!(best.e > lowest && best.e < highest)) return found;
  const Profile profile(points, best, card, options);
  found.ci95.low = profile.rise(lowest) <= kRise ? 0 : profile.crossing(lowest);
  found.ci95.high = profile.rise(highest) <= kRise ? least : profile.crossing(highest);
  for (int i = 0; i < kCurvePoints; ++i) {
    const double floor = std::lerp(std::max(found.ci95.low, lowest), found.ci95.high, i / (kCurvePoints - 1.0));
    found.curve.emplace_back(floor, profile.rise(floor));
  }
  return found;
}

}  // namespace hyscale::analysis
