#include "analysis/akima.h"

#include <cmath>
#include <gsl/gsl_interp.h>
#include <memory>

#include "analysis/golden_section.h"

namespace hyscale::analysis {

AkimaMinimum akima_minimum(const std::vector<double>& x, const std::vector<double>& y) {
  constexpr int kPieces = 25;  // of each segment: a cubic has one valley at most, which these bracket
  const std::unique_ptr<gsl_interp, decltype(&gsl_interp_free)> akima(gsl_interp_alloc(gsl_interp_akima, x.size()),
                                                                      gsl_interp_free);
  gsl_interp_init(akima.get(), x.data(), y.data(), x.size());
  const auto at = [&](double place) { return gsl_interp_eval(akima.get(), x.data(), y.data(), place, nullptr); };
  std::vector<double> places;
  for (size_t i = 0; i + 1 < x.size(); ++i)
    for (int k = 0; k < kPieces; ++k) places.push_back(std::lerp(x[i], x[i + 1], static_cast<double>(k) / kPieces));
  places.push_back(x.back());
  size_t lowest = 0;
  for (size_t i = 1; i < places.size(); ++i)
    if (at(places[i]) < at(places[lowest])) lowest = i;
  if (lowest == 0 || lowest + 1 == places.size()) return {places[lowest], at(places[lowest]), false};
  const double best = golden_section(at, places[lowest - 1], places[lowest + 1]);
  return {best, at(best), true};
}

}  // namespace hyscale::analysis
