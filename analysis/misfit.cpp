#include "analysis/misfit.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "analysis/number_text.h"

namespace hyscale::analysis {
namespace {

constexpr double kShareOfRise = 0.25, kTimesTheOthers = 3, kNegligible = 5e-3;

double middle_of(std::vector<double> values) {
  if (values.empty()) return kMissing;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double typical_rise(const FamilyIsoFlop& family) {
  std::vector<double> rises;
  for (const IsoFlopCurve& curve : family.curves) {
    if (!curve.fitted) continue;
    const auto [low, high] = std::minmax_element(curve.points.begin(), curve.points.end(),
                                                 [](const Point& x, const Point& y) { return x.loss < y.loss; });
    rises.push_back(high->loss - low->loss);
  }
  return middle_of(rises);
}

struct Miss {
  const Point* point = nullptr;
  double by = 0;  // measured less fitted
};
Miss worst_miss(const FamilyIsoFlop& family) {
  Miss worst;
  for (const IsoFlopCurve& curve : family.curves) {
    if (!curve.fitted) continue;
    for (const Point& point : curve.points)
      if (const double by = point.loss - curve.parabola.at(point.n); std::abs(by) > std::abs(worst.by))
        worst = {&point, by};
  }
  return worst;
}

double median_of_others(const std::vector<FamilyIsoFlop>& families, const FamilyIsoFlop& self) {
  std::vector<double> noises;
  for (const FamilyIsoFlop& family : families)
    if (&family != &self && family.noise.degrees_of_freedom > 0) noises.push_back(family.noise.deviation);
  return middle_of(noises);
}

}  // namespace

void mark_misfits(std::vector<FamilyIsoFlop>& families) {
  for (FamilyIsoFlop& family : families) {
    if (family.noise.degrees_of_freedom == 0) continue;
    const Miss worst = worst_miss(family);
    if (worst.point == nullptr || std::abs(worst.by) < kNegligible * worst.point->loss) continue;
    const double rise = typical_rise(family), others = median_of_others(families, family);
    const bool flat = family.noise.deviation > kShareOfRise * rise,
               apart = family.noise.deviation > kTimesTheOthers * others;
    if (!flat && !apart) continue;
    family.irregular = true;
    family.warnings.push_back(fmt::format(
        "its parabolas fit badly: runs scatter by {} nats about them{}, while a curve rises by {} over its sizes. The "
        "worst is {} at {} FLOPs, {} nats {} its curve. Its optima and its N*(C) are doubtful until those runs are "
        "understood; see their training curves",
        fixed(family.noise.deviation, 3),
        apart ? fmt::format(", {:.1f} times as much as the other families' median", family.noise.deviation / others)
              : "",
        fixed(rise, 3), worst.point->size.empty() ? short_count(worst.point->n) : worst.point->size,
        short_flops(worst.point->budget), fixed(std::abs(worst.by), 3), worst.by > 0 ? "above" : "below"));
  }
}

}  // namespace hyscale::analysis
