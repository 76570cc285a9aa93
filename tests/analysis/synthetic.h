#pragma once

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "analysis/law.h"
#include "analysis/points.h"

namespace hyscale::analysis {

inline ScalingLaw planted_law() { return {.e = 1.8, .a = 400, .b = 420, .alpha = 0.34, .beta = 0.29}; }

/// isoFLOP cells of a planted law: every size at every budget, tokens from C = 6 N D.
inline PointSet planted_points(const ScalingLaw& law = planted_law(), const std::string& family = "planted") {
  PointSet set{.source = "planted"};
  for (const double budget : {1e17, 1e18, 1e19, 1e20})
    for (const double ratio : {0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0}) {
      const double n = ratio * 2e7 * std::sqrt(budget / 1e17), d = budget / (6 * n);
      const std::string run = "run-" + std::to_string(set.points.size());
      set.points.push_back({.family = family,
                            .size = "",
                            .budget = budget,
                            .n = n,
                            .d = d,
                            .c = budget,
                            .loss = law.loss(n, d),
                            .run = run,
                            .cluster = run});
    }
  return set;
}

inline void add_noise(PointSet& set, double relative, std::mt19937_64& random) {
  std::normal_distribution<double> noise(0, relative);
  for (Point& point : set.points) point.loss *= std::exp(noise(random));
}

}  // namespace hyscale::analysis
