#include "core/kernels/gated_rms_norm.h"

#include <cmath>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/gradient_check.h"
#include "tests/support/threads.h"

namespace hyscale::kernels {
namespace {

using tests::copy_values;
using tests::dot;
using tests::expect_gradient_matches;
using tests::filled_tensor;
using tests::random_tensor;
using tests::relative_difference;
using tests::values_of;

struct Case {
  int64_t tokens, channels, groups;
  DType dtype;
  bool normed;
  OwnedTensor y, z, weight, out, rstd, dy, dz, dweight;
  Arena arena;
  Exec exec{Device::cpu, &arena};

  Case(int64_t t, int64_t c, int64_t g, DType type, bool norm = true)
      : tokens(t),
        channels(c),
        groups(g),
        dtype(type),
        normed(norm),
        y(random_tensor(type, {t, c}, 1, -2, 2)),
        z(random_tensor(type, {t, c}, 2, -3, 3)),
        weight(random_tensor(type, {c}, 3, 0.5, 1.5)),
        out(filled_tensor(type, {t, c}, NAN)),
        rstd(filled_tensor(type, {t, g}, NAN)),
        dy(filled_tensor(type, {t, c}, NAN)),
        dz(filled_tensor(type, {t, c}, NAN)),
        dweight(filled_tensor(type, {c}, 0)) {}
  GatedRmsNormArgs args() const {
    return {.y = y, .z = z, .weight = normed ? weight.tensor() : Tensor(), .groups = groups, .epsilon = 1e-3};
  }
  void forward() { gated_rms_norm(args(), out, rstd, exec); }
  void backward(const Tensor& dout) { gated_rms_norm_backward(args(), rstd, dout, dy, dz, dweight, exec); }
};

TEST(GatedRmsNorm, EqualsItsFormulaGroupByGroup) {
  for (const int64_t groups : {1, 3}) {
    Case c(4, 33, groups, DType::f64);
    c.forward();
    const auto y = c.y.tensor().view<double, 2>(), z = c.z.tensor().view<double, 2>(),
               out = c.out.tensor().view<double, 2>();
    const int64_t width = c.channels / groups;
    const auto h = [&](int64_t t, int64_t i) { return y(t, i) * z(t, i) / (1 + std::exp(-z(t, i))); };
    for (int64_t t = 0; t < c.tokens; ++t)
      for (int64_t i = 0; i < c.channels; ++i) {
        double squares = 0;
        for (int64_t k = i / width * width; k < (i / width + 1) * width; ++k) squares += h(t, k) * h(t, k);
        const double rstd = 1 / std::sqrt(squares / static_cast<double>(width) + 1e-3);
        ASSERT_NEAR(out(t, i), h(t, i) * rstd * c.weight.tensor().as<double>()[i], 1e-13) << groups << " " << i;
      }
  }
}

TEST(GatedRmsNorm, WithoutAWeightItIsTheGateAlone) {
  Case c(3, 10, 1, DType::f64, false);
  c.forward();
  const auto y = c.y.tensor().view<double, 2>(), z = c.z.tensor().view<double, 2>(),
             out = c.out.tensor().view<double, 2>();
  for (int64_t t = 0; t < 3; ++t)
    for (int64_t i = 0; i < 10; ++i) EXPECT_NEAR(out(t, i), y(t, i) * z(t, i) / (1 + std::exp(-z(t, i))), 1e-14);
}

TEST(GatedRmsNorm, GradientsMatchCentralDifferencesWithGroupsAndWithoutNorm) {
  for (const bool normed : {true, false})
    for (const int64_t groups : {1, 2, 5}) {
      Case c(37, 30, groups, DType::f64, normed);
      const OwnedTensor dout = random_tensor(DType::f64, {37, 30}, 4);
      const auto loss = [&] {
        c.forward();
        return dot(c.out, dout);
      };
      loss();
      c.backward(dout);
      expect_gradient_matches("y", c.y, c.dy, loss);
      expect_gradient_matches("z", c.z, c.dz, loss);
      if (normed) expect_gradient_matches("weight", c.weight, c.dweight, loss);
    }
}

TEST(GatedRmsNorm, SinglePrecisionStaysCloseToDouble) {
  Case one(20, 96, 2, DType::f32), two(20, 96, 2, DType::f64);
  copy_values(one.y, two.y);
  copy_values(one.z, two.z);
  copy_values(one.weight, two.weight);
  const OwnedTensor dout = random_tensor(DType::f32, {20, 96}, 4), dout_double = filled_tensor(DType::f64, {20, 96}, 0);
  copy_values(dout, dout_double);
  one.forward(), two.forward();
  one.backward(dout), two.backward(dout_double);
  EXPECT_LT(relative_difference(one.out, two.out), 1e-6);
  EXPECT_LT(relative_difference(one.dy, two.dy), 2e-6);
  EXPECT_LT(relative_difference(one.dz, two.dz), 2e-6);
  EXPECT_LT(relative_difference(one.dweight, two.dweight), 2e-6);
}

TEST(GatedRmsNorm, GradientsAreBitEqualForAnyNumberOfThreads) {
  std::vector<std::vector<double>> results;
  for (const int count : {1, 2, 5}) {
    const tests::ThreadCount threads(count);
    Case c(201, 40, 2, DType::f32);
    c.forward();
    c.backward(random_tensor(DType::f32, {201, 40}, 4));
    results.push_back(values_of(c.dweight));
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(GatedRmsNorm, RefusesAGateOfAnotherWidthAndGroupsThatDoNotDivide) {
  Case c(2, 8, 1, DType::f32);
  GatedRmsNormArgs args = c.args();
  args.groups = 3;
  EXPECT_THROW(gated_rms_norm(args, c.out, c.rstd, c.exec), ShapeError);
  args = c.args();
  args.z = c.z.tensor().slice(1, 0, 4);
  EXPECT_THROW(gated_rms_norm(args, c.out, c.rstd, c.exec), ShapeError);
}

}  // namespace
}  // namespace hyscale::kernels
