#include "analysis/budgets.h"

#include <gmock/gmock.h>

namespace hyscale::analysis {
namespace {

PointSet with_flops(const std::vector<double>& flops) {
  PointSet set;
  for (const double c : flops)
    set.points.push_back({.family = "x", .n = 1e6 * static_cast<double>(set.points.size() + 1), .c = c});
  return set;
}

TEST(Budgets, GroupsPointsWhoseFlopsAgreeWithinTwoPerCent) {
  PointSet set = with_flops({1e18, 1.019e18, 0.985e18, 3e18, 3e18, 3e18, 1.2e18});
  group_by_flops(set);
  EXPECT_EQ(set.budgets().size(), 2u);
  EXPECT_EQ(set.points[0].budget, set.points[2].budget);
  EXPECT_EQ(set.points[3].budget, 3e18);
  EXPECT_EQ(set.points[6].budget, 0);
  EXPECT_THAT(set.notices, testing::Contains(testing::HasSubstr("2 budgets of three sizes or more, with 6 of 7")));
}

TEST(Budgets, LeavesNamedBudgetsAlone) {
  PointSet set = with_flops({1e18, 1e18, 1e18});
  set.points[0].budget = 5e17;
  group_by_flops(set);
  EXPECT_EQ(set.points[1].budget, 0);
  EXPECT_TRUE(set.notices.empty());
}

TEST(Budgets, NeverChainNeighboursIntoAWideGroup) {
  std::vector<double> flops;
  for (int i = 0; i < 40; ++i) flops.push_back(1e18 * std::pow(1.015, i));
  PointSet set = with_flops(flops);
  group_by_flops(set);
  EXPECT_NE(set.points.front().budget, set.points.back().budget);
}

}  // namespace
}  // namespace hyscale::analysis
