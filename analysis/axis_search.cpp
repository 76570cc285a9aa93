#include "analysis/axis_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "analysis/akima.h"

namespace hyscale::analysis {

AxisSearch::AxisSearch(const std::vector<Point>& points, double Point::*axis, IsoFlopMethod method) : method_(method) {
  std::vector<double> values;
  for (const Point& point : points) values.push_back(point.*axis);
  for (const double value : values) center_ += std::log(value) / static_cast<double>(values.size());
  for (const double value : values) places_.push_back(std::log(value) - center_);
  std::sort(values.begin(), values.end());
  trained_ = {values.front(), values.back()};
  distinct_ = static_cast<size_t>(std::unique(values.begin(), values.end()) - values.begin());
  if (method == IsoFlopMethod::parabola && distinct_ >= 3) basis_.emplace(places_);
}

AxisMinimum AxisSearch::minimum(const std::vector<double>& losses) const {
  return method_ == IsoFlopMethod::parabola ? by_parabola(losses) : by_akima(losses);
}

AxisMinimum AxisSearch::by_parabola(const std::vector<double>& losses) const {
  if (!basis_) return {};
  const Quadratic fit = basis_->fit(losses);
  const Parabola parabola{fit.c0, fit.c1, fit.c2, center_};
  AxisMinimum found{.at = parabola.vertex()};
  const auto [low, high] = trained_;
  found.loss = parabola.at(found.closed() ? found.at : found.at > 0 ? high : low);
  found.interior = low < found.at && found.at < high;
  return found;
}

AxisMinimum AxisSearch::by_akima(const std::vector<double>& losses) const {
  std::map<double, double> lowest;
  for (size_t i = 0; i < losses.size(); ++i) {
    const auto [place, fresh] = lowest.emplace(places_[i], losses[i]);
    if (!fresh) place->second = std::min(place->second, losses[i]);
  }
  if (lowest.size() < kFewestForAkima) return {};
  std::vector<double> x, y;
  for (const auto& [place, loss] : lowest) x.push_back(place), y.push_back(std::log(loss));
  const AkimaMinimum found = akima_minimum(x, y);
  const double open = found.x == x.front() ? 0 : std::numeric_limits<double>::infinity();
  return {found.interior ? std::exp(found.x + center_) : open, std::exp(found.y), found.interior};
}

std::vector<double> losses_of(const std::vector<Point>& points) {
  std::vector<double> losses;
  for (const Point& point : points) losses.push_back(point.loss);
  return losses;
}

}  // namespace hyscale::analysis
