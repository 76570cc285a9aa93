#include "analysis/number_text.h"

#include <gtest/gtest.h>
#include <limits>

namespace hyscale::analysis {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(NumberText, ShortensCountsAsPeopleSayThem) {
  EXPECT_EQ(short_count(20000), "20K");
  EXPECT_EQ(short_count(352e6), "352M");
  EXPECT_EQ(short_count(1.488e9), "1.49B");
  EXPECT_EQ(short_count(999.9e6), "1B");
  EXPECT_EQ(short_count(12), "12");
  EXPECT_EQ(short_count(kMissing), "–");
}

TEST(NumberText, WritesBudgetsInPowersOfTen) {
  EXPECT_EQ(short_flops(2e19), "2e19");
  EXPECT_EQ(short_flops(3.16e14), "3.16e14");
  EXPECT_EQ(short_flops(9.999e15), "1e16");
  EXPECT_EQ(short_flops(1000), "1e3");
}

TEST(NumberText, SaysWhichEndOfAnIntervalIsOpen) {
  EXPECT_EQ(interval_text({1e6, 2e6}, Quantity::count), "1M to 2M");
  EXPECT_EQ(interval_text({1e6, kInfinity}, Quantity::count), "above 1M");
  EXPECT_EQ(interval_text({0, 2e6}, Quantity::count), "below 2M");
  EXPECT_EQ(interval_text({}, Quantity::loss), "not available");
}

TEST(NumberText, PadsColumnsByWhatIsSeenNotByBytes) {
  EXPECT_EQ(text_table({{"a", "b"}, {"–", "x"}, {"long", "y"}}), "a     b\n-------\n–     x\nlong  y\n");
}

}  // namespace
}  // namespace hyscale::analysis
