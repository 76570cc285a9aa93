#include "analysis/selection.h"

#include <gmock/gmock.h>

#include "core/base/error.h"
#include "tests/analysis/synthetic.h"

namespace hyscale::analysis {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

Point point(double n, double loss) { return {.n = n, .d = 100, .c = 600 * n, .loss = loss}; }
bool holds(const std::string& text, const Point& p) { return Condition(text, {}).holds(p); }

std::string complaint(const std::string& text) {
  try {
    const Condition condition(text, {});
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

std::vector<double> losses(const PointSet& set) {
  std::vector<double> all;
  for (const Point& p : set.points) all.push_back(p.loss);
  return all;
}

TEST(Condition, ComparesColumnsWithNumbers) {
  EXPECT_TRUE(holds("n < 3", point(2, 1)));
  EXPECT_FALSE(holds("n < 2", point(2, 1)));
  EXPECT_TRUE(holds("n <= 2", point(2, 1)));
  EXPECT_TRUE(holds("n > 1.5e0", point(2, 1)));
  EXPECT_TRUE(holds("n >= 2", point(2, 1)));
  EXPECT_TRUE(holds("n == 2", point(2, 1)));
  EXPECT_FALSE(holds("n!=2", point(2, 1)));
}

TEST(Condition, JoinsComparisonsByAnd) {
  EXPECT_TRUE(holds("n >= 2 and loss < 4 and c == 1200", point(2, 3)));
  EXPECT_FALSE(holds("n >= 2 and loss < 4", point(2, 4)));
}

TEST(Condition, KnowsWhatTheFileCallsAColumn) {
  const Condition condition("params > 1", {{"n", "params"}});
  EXPECT_TRUE(condition.holds(point(2, 1)));
  EXPECT_FALSE(condition.holds(point(1, 1)));
}

TEST(Condition, OfAValueThatIsMissingHoldsForUnequalAlone) {
  EXPECT_FALSE(holds("se < 1", point(2, 1)));
  EXPECT_FALSE(holds("se >= 1", point(2, 1)));
  EXPECT_TRUE(holds("se != 1", point(2, 1)));
}

TEST(Condition, PutsACaretUnderWhatIsWrong) {
  EXPECT_THAT(complaint("n > 1 and depth > 3"), AllOf(HasSubstr("no column 'depth'"), HasSubstr("\n              ^")));
  EXPECT_THAT(complaint("n = 1"), AllOf(HasSubstr("== != belongs here"), HasSubstr("\n      ^")));
  EXPECT_THAT(complaint("n > many"), AllOf(HasSubstr("a number"), HasSubstr("\n        ^")));
  EXPECT_THAT(complaint("n > 1 or n < 0"), AllOf(HasSubstr("joined by 'and'"), HasSubstr("\n          ^")));
  EXPECT_THAT(complaint("n > 1 and"), HasSubstr("a column belongs here"));
}

TEST(Selection, AppliesItsRulesInTurnAndCountsWhatEachLeftOut) {
  PointSet set;
  for (const double n : {1.0, 2.0, 3.0, 4.0, 5.0}) set.points.push_back(point(n, 10 - n));
  const PointSet left = selected(set, {.where = "n > 1", .drop_highest = 1, .max_flops = 2400}, {});
  EXPECT_THAT(losses(left), ElementsAre(7, 6));
  EXPECT_THAT(left.notices,
              ElementsAre("1 of 5 points left out by --where 'n > 1'.", "1 of 4 points left out by --max-flops 2400.",
                          "1 of 3 points left out by --drop-highest 1."));
}

TEST(Selection, DropsTheHighestLossesAndKeepsTheOrder) {
  PointSet set;
  for (const double loss : {3.0, 5.0, 2.0, 5.0, 4.0}) set.points.push_back(point(1, loss));
  EXPECT_THAT(losses(selected(set, {.drop_highest = 2}, {})), ElementsAre(3, 2, 4));
}

TEST(Selection, RefusesToLeaveNothing) {
  EXPECT_THROW(selected(planted_points(), {.where = "n < 0"}, {}), ConfigError);
  EXPECT_THROW(selected(planted_points(), {.drop_highest = 1000}, {}), ConfigError);
}

}  // namespace
}  // namespace hyscale::analysis
