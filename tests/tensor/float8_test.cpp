#include "core/tensor/float8.h"

#include <cmath>
#include <gtest/gtest.h>

namespace hyscale {
namespace {

struct Known {
  DType dtype;
  uint8_t bits;
  float value;
};

TEST(Float8, KnowsTheFormatsOfThePaper) {
  // arXiv 2209.05433, table 1
  for (const auto& [dtype, bits, value] : {Known{DType::e4m3, 0x7e, 448},
                                           {DType::e4m3, 0x08, 0x1p-6F},
                                           {DType::e4m3, 0x07, 0.875F * 0x1p-6F},
                                           {DType::e4m3, 0x01, 0x1p-9F},
                                           {DType::e5m2, 0x7b, 57344},
                                           {DType::e5m2, 0x04, 0x1p-14F},
                                           {DType::e5m2, 0x03, 0.75F * 0x1p-14F},
                                           {DType::e5m2, 0x01, 0x1p-16F}}) {
    EXPECT_EQ(from_float8(dtype, bits), value);
    EXPECT_EQ(from_float8(dtype, bits | 0x80), -value);
  }
  EXPECT_TRUE(std::isnan(from_float8(DType::e4m3, 0x7f)));
  EXPECT_TRUE(std::isinf(from_float8(DType::e5m2, 0x7c)));
  EXPECT_TRUE(std::isnan(from_float8(DType::e5m2, 0x7d)));
}

TEST(Float8, EveryFiniteValueIsItsOwnNearest) {
  for (const DType dtype : {DType::e4m3, DType::e5m2})
    for (int bits = 0; bits < 256; ++bits) {
      const float value = from_float8(dtype, static_cast<uint8_t>(bits));
      if (!std::isfinite(value)) continue;
      EXPECT_EQ(to_float8(dtype, value), bits) << name_of(dtype);
    }
}

TEST(Float8, RoundsToTheNearestAndTiesToEven) {
  for (const DType dtype : {DType::e4m3, DType::e5m2})
    for (uint8_t low = 0; std::isfinite(from_float8(dtype, low + 1)) && low < 0x7e; ++low) {
      const float below = from_float8(dtype, low), above = from_float8(dtype, low + 1), middle = (below + above) / 2;
      EXPECT_EQ(to_float8(dtype, std::nextafter(middle, 0.0F)), low);
      EXPECT_EQ(to_float8(dtype, middle), low % 2 == 0 ? low : low + 1);
      EXPECT_EQ(to_float8(dtype, std::nextafter(middle, 1e9F)), low + 1);
    }
}

TEST(Float8, KeepsNanAndStopsAtTheLargest) {
  for (const DType dtype : {DType::e4m3, DType::e5m2}) {
    const float largest = dtype == DType::e4m3 ? 448.0F : 57344.0F;
    EXPECT_EQ(from_float8(dtype, to_float8(dtype, 1e30F)), largest);
    EXPECT_EQ(from_float8(dtype, to_float8(dtype, -INFINITY)), -largest);
    EXPECT_TRUE(std::isnan(from_float8(dtype, to_float8(dtype, NAN))));
  }
}

TEST(Float8, ShiftsToWhereTheLargestJustFits) {
  for (const DType dtype : {DType::e4m3, DType::e5m2}) {
    const float top = dtype == DType::e4m3 ? 448.0F : 57344.0F;
    for (const float largest : {1.0F, 1.75F, std::nextafter(1.75F, 2.0F), 3e-7F, 6e4F, 448.0F, 57344.0F}) {
      const float shifted = std::ldexp(largest, float8_shift(dtype, largest));
      EXPECT_LE(shifted, top);
      EXPECT_GT(2 * shifted, top);
    }
    EXPECT_EQ(float8_shift(dtype, 0), 0);
    EXPECT_LE(std::abs(float8_shift(dtype, 1e-45F)), 120);
  }
}

}  // namespace
}  // namespace hyscale
