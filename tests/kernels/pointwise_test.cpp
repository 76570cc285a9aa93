#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/kernels/embedding.h"
#include "core/kernels/rope.h"
#include "core/kernels/swiglu.h"
#include "tests/support/gradient_check.h"

namespace hyscale::kernels {

using tests::copy_values;
using tests::expect_gradient_matches;
using tests::random_tensor;
using tests::relative_difference;
using tests::values_of;

static OwnedTensor tokens_of(const std::vector<int32_t>& ids) {
  OwnedTensor result(DType::i32, {static_cast<int64_t>(ids.size())});
  std::copy(ids.begin(), ids.end(), result.tensor().as<int32_t>());
  return result;
}

TEST(Embedding, CopiesRowsAndGathersTheirGradients) {
  const OwnedTensor tokens = tokens_of({2, 0, 2, 2});
  const OwnedTensor weight = random_tensor(DType::f64, {3, 70}, 1), dout = random_tensor(DType::f64, {4, 70}, 2);
  const OwnedTensor out(DType::f64, {4, 70}), dweight(DType::f64, {3, 70});
  const auto loss = [&] {
    embedding({.out = out, .tokens = tokens, .weight = weight}, {});
    return tests::dot(out, dout);
  };
  loss();
  EXPECT_EQ(values_of(out.tensor().select(0, 3)), values_of(weight.tensor().select(0, 2)));
  embedding_backward({.dweight = dweight, .tokens = tokens, .dout = dout}, {});
  expect_gradient_matches("embedding", weight, dweight, loss);
}

TEST(Embedding, RefusesATokenOutsideTheVocabulary) {
  const OwnedTensor weight(DType::f32, {3, 2}), out(DType::f32, {2, 2});
  for (const int32_t wrong : {-1, 3})
    EXPECT_THAT(
        [&] {
          embedding({.out = out, .tokens = tokens_of({0, wrong}), .weight = weight}, {});
        },
        ::testing::ThrowsMessage<ShapeError>(::testing::HasSubstr("at row 1")));
}

TEST(Swiglu, BackwardMatchesCentralDifferences) {
  const OwnedTensor gate_up = random_tensor(DType::f64, {67, 22}, 1, -4, 4),
                    dout = random_tensor(DType::f64, {67, 11}, 2);
  const OwnedTensor out(DType::f64, {67, 11}), dgate_up(DType::f64, {67, 22});
  const auto loss = [&] {
    swiglu({.out = out, .gate_up = gate_up}, {});
    return tests::dot(out, dout);
  };
  const double g = gate_up.tensor().as<double>()[3], u = gate_up.tensor().as<double>()[14];
  loss();
  EXPECT_NEAR(out.tensor().as<double>()[3], g / (1 + std::exp(-g)) * u, 1e-14);
  swiglu_backward({.dgate_up = dgate_up, .dout = dout, .gate_up = gate_up}, {});
  expect_gradient_matches("gate_up", gate_up, dgate_up, loss);
}

TEST(Swiglu, SinglePrecisionAgreesWithDoubleAndStaysInsideItsRows) {
  const OwnedTensor one = random_tensor(DType::f32, {9, 26}, 1, -60, 60), two(DType::f64, {9, 26});
  copy_values(one, two);
  const OwnedTensor wide = tests::filled_tensor(DType::f32, {9, 16}, 7), out_two(DType::f64, {9, 13});
  swiglu({.out = wide.tensor().slice(1, 0, 13), .gate_up = one}, {});
  swiglu({.out = out_two, .gate_up = two}, {});
  EXPECT_LT(relative_difference(wide.tensor().slice(1, 0, 13), out_two), 1e-6);
  EXPECT_THAT(values_of(wide.tensor().slice(1, 13, 3)), ::testing::Each(7.0));
  const OwnedTensor dout = tests::filled_tensor(DType::f32, {9, 13}, 1),
                    dout_two = tests::filled_tensor(DType::f64, {9, 13}, 1);
  swiglu_backward({.dgate_up = one, .dout = dout, .gate_up = one}, {});
  swiglu_backward({.dgate_up = two, .dout = dout_two, .gate_up = two}, {});
  EXPECT_LT(relative_difference(one, two), 1e-6);
}

struct RopeTables {
  explicit RopeTables(DType dtype) : cos(dtype, {20, 3}), sin(dtype, {20, 3}) { rope_table(cos, sin, kRadians); }
  static constexpr double kRadians[] = {1, 0.2, 0.05};
  OwnedTensor cos, sin;
};

TEST(Rope, TurnsEachPairByItsPositionWithinTheSequence) {
  const RopeTables tables(DType::f64);
  const OwnedTensor x = random_tensor(DType::f64, {30, 2, 6}, 1), before(DType::f64, {30, 2, 6});
  copy_values(x, before);
  rope({.x = x, .cos = tables.cos, .sin = tables.sin, .length = 15}, {});
  const auto a = before.tensor().view<double, 3>(), b = x.tensor().view<double, 3>();
  for (int64_t t : {0, 7, 15, 29})
    for (int64_t i = 0; i < 3; ++i) {
      const double angle = static_cast<double>(t % 15) * RopeTables::kRadians[i];
      EXPECT_NEAR(b(t, 1, i), a(t, 1, i) * std::cos(angle) - a(t, 1, i + 3) * std::sin(angle), 1e-14);
      EXPECT_NEAR(b(t, 1, i + 3), a(t, 1, i + 3) * std::cos(angle) + a(t, 1, i) * std::sin(angle), 1e-14);
    }
}

TEST(Rope, TurningBackIsTheInverseAndTheBackwardPass) {
  const RopeTables tables(DType::f64);
  const OwnedTensor x = random_tensor(DType::f64, {9, 2, 6}, 1), dout = random_tensor(DType::f64, {9, 2, 6}, 2);
  const OwnedTensor turned(DType::f64, {9, 2, 6}), dx(DType::f64, {9, 2, 6});
  const auto turn = [&](const Tensor& from, const Tensor& to, bool inverse) {
    copy_values(from, to);
    rope({.x = to, .cos = tables.cos, .sin = tables.sin, .length = 9, .inverse = inverse}, {});
  };
  turn(dout, dx, true);
  expect_gradient_matches("x", x, dx, [&] {
    turn(x, turned, false);
    return tests::dot(turned, dout);
  });
  turn(x, turned, false);
  turn(turned, dx, true);
  EXPECT_LT(relative_difference(dx, x), 1e-14);
}

TEST(Rope, TurnsTheFirstPairsOfAWiderHeadAndLetsTheRestPass) {
  const RopeTables tables(DType::f64);
  const OwnedTensor x = random_tensor(DType::f64, {9, 2, 11}, 1), before(DType::f64, {9, 2, 11}),
                    narrow(DType::f64, {9, 2, 6});
  copy_values(x, before);
  copy_values(x.tensor().slice(2, 0, 6), narrow);
  rope({.x = x, .cos = tables.cos, .sin = tables.sin, .length = 9}, {});
  rope({.x = narrow, .cos = tables.cos, .sin = tables.sin, .length = 9}, {});
  EXPECT_EQ(values_of(x.tensor().slice(2, 0, 6)), values_of(narrow));
  EXPECT_EQ(values_of(x.tensor().slice(2, 6, 5)), values_of(before.tensor().slice(2, 6, 5)));
}

TEST(Rope, AnAmplitudeMultipliesWhatTurns) {
  const RopeTables tables(DType::f64);
  const OwnedTensor cos(DType::f64, {20, 3}), sin(DType::f64, {20, 3});
  rope_table(cos, sin, RopeTables::kRadians, 1.25);
  const auto at = [](const OwnedTensor& table) { return table.tensor().view<double, 2>()(7, 1); };
  EXPECT_DOUBLE_EQ(at(cos), 1.25 * at(tables.cos));
  EXPECT_DOUBLE_EQ(at(sin), 1.25 * at(tables.sin));
}

TEST(Rope, RefusesMorePairsThanAHeadHas) {
  const RopeTables tables(DType::f64);
  const OwnedTensor x = random_tensor(DType::f64, {9, 2, 5}, 1);
  EXPECT_THROW(rope({.x = x, .cos = tables.cos, .sin = tables.sin, .length = 9}, {}), ShapeError);
}

}  // namespace hyscale::kernels
