#include "analysis/budgets.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>
#include <set>

namespace hyscale::analysis {
namespace {

constexpr double kSameFlops = 1.02;  // to the neighbour, and to each side of the group's middle

using Order = std::vector<size_t>;

double budget_of(const PointSet& set, const Order& group) {
  if (set.points[group.front()].c == set.points[group.back()].c) return set.points[group.front()].c;
  double sum = 0;
  for (const size_t i : group) sum += std::log(set.points[i].c);
  return std::exp(sum / static_cast<double>(group.size()));
}

size_t sizes_of(const PointSet& set, const Order& group) {
  std::set<double> sizes;
  for (const size_t i : group) sizes.insert(set.points[i].n);
  return sizes.size();
}

}  // namespace

void group_by_flops(PointSet& set) {
  if (set.points.empty() ||
      std::any_of(set.points.begin(), set.points.end(), [](const Point& point) { return point.budget > 0; }))
    return;
  Order order(set.points.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto flops = [&](size_t i) { return set.points[i].c; };
  std::stable_sort(order.begin(), order.end(), [&](size_t x, size_t y) { return flops(x) < flops(y); });
  size_t grouped = 0, groups = 0;
  for (auto first = order.begin(); first != order.end();) {
    auto end = first + 1;
    while (end != order.end() && flops(*end) <= kSameFlops * flops(*(end - 1)) &&
           flops(*end) <= kSameFlops * kSameFlops * flops(*first))
      ++end;
    const Order group(first, end);
    first = end;
    if (sizes_of(set, group) < 3) continue;
    const double budget = budget_of(set, group);
    for (const size_t i : group) set.points[i].budget = budget;
    grouped += group.size();
    ++groups;
  }
  set.notices.push_back(fmt::format(
      "No column for budgets: points whose C agree within 2 % were taken for one: {} budgets of three sizes "
      "or more, with {} of {} points.",
      groups, grouped, set.points.size()));
}

}  // namespace hyscale::analysis
