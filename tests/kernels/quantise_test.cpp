#include "core/kernels/quantise.h"

#include <cmath>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/tensor/float8.h"

namespace hyscale::kernels {
namespace {

TEST(Quantise, RoundsAWindowAndItsTransposeByOnePowerOfTwo) {
  OwnedTensor wide(DType::f32, {2, 5}), out(DType::e4m3, {2, 3}), turned(DType::e4m3, {3, 2}), unscale(DType::f32, {1});
  const float values[2][3] = {{0.5F, -3.0F, 0.001F}, {1.0F, 0.0F, 0.3F}};
  for (int64_t r = 0; r < 2; ++r)
    for (int64_t c = 0; c < 5; ++c)
      wide.tensor().as<float>()[r * 5 + c] = c < 2 ? 1e9F : values[r][c - 2];  // outside the window: not looked at
  quantise({.out = out, .turned = turned, .unscale = unscale, .x = wide.tensor().slice(1, 2, 3)}, {});
  const float back = *unscale.tensor().as<float>();
  EXPECT_EQ(back, 0x1p-7F);  // 3 · 2^7 = 384 ≤ 448
  for (int64_t r = 0; r < 2; ++r)
    for (int64_t c = 0; c < 3; ++c) {
      const auto* const plain = static_cast<const uint8_t*>(out.tensor().data());
      const auto* const other = static_cast<const uint8_t*>(turned.tensor().data());
      EXPECT_EQ(plain[r * 3 + c], other[c * 2 + r]);
      EXPECT_NEAR(from_float8(DType::e4m3, plain[r * 3 + c]) * back, values[r][c], std::fabs(values[r][c]) / 16);
    }
}

TEST(Quantise, SaysWhatDoesNotFit) {
  const OwnedTensor x(DType::f32, {2, 3}), unscale(DType::f32, {1}), floats(DType::f32, {2, 3}),
      small(DType::e5m2, {2, 2}), turned(DType::e4m3, {3, 2}), out(DType::e5m2, {2, 3});
  EXPECT_THROW(quantise({.out = {}, .turned = {}, .unscale = unscale, .x = x}, {}), ShapeError);
  EXPECT_THROW(quantise({.out = floats, .turned = {}, .unscale = unscale, .x = x}, {}), ShapeError);
  EXPECT_THROW(quantise({.out = small, .turned = {}, .unscale = unscale, .x = x}, {}), ShapeError);
  EXPECT_THROW(quantise({.out = out, .turned = turned, .unscale = unscale, .x = x}, {}), ShapeError);
}

}  // namespace
}  // namespace hyscale::kernels
