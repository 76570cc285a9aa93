#include "studies/families/placement.h"

#include <algorithm>

namespace hyscale::studies {

static int64_t rounded_quotient(int64_t a, int64_t b) { return (2 * a + b) / (2 * b); }  // halves up; a, b > 0

int64_t expensive_layers(int64_t layers, std::array<int64_t, 2> ratio, bool keep_cheap) {
  const int64_t count = rounded_quotient(layers * ratio[0], ratio[0] + ratio[1]);
  const int64_t most = keep_cheap && ratio[1] > 0 ? std::max<int64_t>(1, layers - 1) : layers;
  return std::clamp<int64_t>(count, 1, most);
}

std::vector<int64_t> positions(int64_t layers, int64_t count, Placement placement) {
  std::vector<int64_t> list;
  for (int64_t i = 1; i <= count; ++i) list.push_back(rounded_quotient(i * (layers + 1), count + 1));
  if (count > 0 && placement == Placement::front) list.front() = 1;
  if (count > 0 && placement == Placement::end) list.back() = layers;
  return list;
}

}  // namespace hyscale::studies
