#include "core/tensor/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>
#include <vector>

#include "core/base/error.h"

namespace hyscale {
namespace {

class TensorTest : public testing::Test {
 protected:
  TensorTest() { std::iota(values_.begin(), values_.end(), 0.0f); }
  std::vector<float> values_ = std::vector<float>(24);
  Tensor t_ = Tensor(values_.data(), DType::f32, Device::cpu, {2, 3, 4});
};

TEST_F(TensorTest, ViewsIndexRowMajor) {
  const auto v = t_.view<float, 3>();
  EXPECT_EQ(v(1, 2, 3), 23.0f);
  EXPECT_EQ(v(1, 0, 1), 13.0f);
}

TEST_F(TensorTest, SlicesAndSelectionsShareMemory) {
  const auto column = t_.slice(2, 1, 2).select(0, 1).view<float, 2>();
  EXPECT_EQ(column.extent(0), 3);
  EXPECT_EQ(column.extent(1), 2);
  EXPECT_EQ(column(2, 0), 21.0f);
  column(2, 0) = -1;
  EXPECT_EQ(values_[21], -1.0f);
}

TEST_F(TensorTest, ReshapesWhereStridesAllowIt) {
  EXPECT_EQ((t_.reshape({6, 4}).view<float, 2>()(4, 1)), 17.0f);
  const Tensor narrow = t_.slice(2, 0, 2);  // rows of 4, two of them used
  EXPECT_EQ((narrow.reshape({6, 2}).view<float, 2>()(5, 1)), 21.0f);
  EXPECT_EQ((narrow.reshape({2, 3, 2, 1}).view<float, 4>()(1, 2, 1, 0)), 21.0f);
}

TEST_F(TensorTest, RefusesAReshapeAcrossGapsOrOfAnotherSize) {
  EXPECT_THROW(t_.slice(2, 0, 2).reshape({2, 6}), ShapeError);
  EXPECT_THROW(t_.reshape({5, 5}), ShapeError);
}

TEST_F(TensorTest, RefusesWrongTypeRankAndRange) {
  EXPECT_THROW((t_.view<double, 3>()), ShapeError);
  EXPECT_THROW((t_.view<float, 2>()), ShapeError);
  EXPECT_THROW(t_.slice(1, 2, 2), ShapeError);
  EXPECT_THAT(
      [&] {
        expect_shape("x", t_, {2, 3});
      },
      testing::ThrowsMessage<ShapeError>("x is f32[2, 3, 4], expected [2, 3]"));
}

TEST_F(TensorTest, KnowsWhetherItIsDense) {
  EXPECT_TRUE(t_.is_dense());
  EXPECT_TRUE(t_.slice(0, 1, 1).is_dense());
  EXPECT_FALSE(t_.slice(2, 0, 2).is_dense());
}

}  // namespace
}  // namespace hyscale
