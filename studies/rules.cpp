#include <algorithm>
#include <cmath>

#include "studies/study_spec.h"

namespace hyscale::studies {

double PowerRule::operator()(double parameters) const {
  return std::min(max, value * std::pow(parameters / at, exponent));
}

int64_t BatchRule::at(double parameters, int64_t context) const {
  if (tokens > 0) return tokens;
  return std::max<int64_t>(1, std::llround(rule(parameters) / static_cast<double>(context))) * context;
}

}  // namespace hyscale::studies
