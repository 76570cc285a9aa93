#include "core/spec/placement.h"

#include <algorithm>
#include <numeric>

namespace hyscale::spec {

const std::vector<std::string>& placement_names() {
  static const std::vector<std::string> kNames{"front", "middle", "end", "scatter", "cluster", "sandwich"};
  return kNames;
}

static int64_t rounded_quotient(int64_t a, int64_t b) { return (2 * a + b) / (2 * b); }  // halves up; a ≥ 0, b > 0

int64_t expensive_layers(int64_t layers, LayerRatio ratio) {
  return rounded_quotient(layers * ratio[0], ratio[0] + ratio[1]);
}

static std::vector<int64_t> consecutive(int64_t first, int64_t count) {
  std::vector<int64_t> list(static_cast<size_t>(count));
  std::iota(list.begin(), list.end(), first);
  return list;
}

static std::vector<int64_t> even_spread(int64_t layers, int64_t count) {
  std::vector<int64_t> list;
  for (int64_t i = 1; i <= count; ++i) list.push_back(rounded_quotient(i * (layers + 1), count + 1));
  return list;
}

static std::vector<int64_t> sandwich(int64_t layers, int64_t count) {
  const int64_t at_end = rounded_quotient(count, 3), inside = count - 2 * at_end;
  std::vector<int64_t> list = consecutive(1, at_end);
  for (const int64_t p : consecutive(rounded_quotient(layers - inside, 2) + 1, inside)) list.push_back(p);
  for (const int64_t p : consecutive(layers - at_end + 1, at_end)) list.push_back(p);
  return list;
}

std::vector<int64_t> positions(int64_t layers, int64_t count, Placement placement) {
  if (count == 0) return {};
  if (placement == Placement::sandwich) return sandwich(layers, count);
  if (placement == Placement::cluster)
    return consecutive(std::max<int64_t>(1, std::min(rounded_quotient(2 * layers, 3), layers - count - 1)), count);
  std::vector<int64_t> list = even_spread(layers, count);
  if (placement == Placement::front) list.front() = 1;
  if (placement == Placement::end) list.back() = layers;
  return list;
}

}  // namespace hyscale::spec
