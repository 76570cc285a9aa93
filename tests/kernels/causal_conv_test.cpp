#include "core/kernels/causal_conv.h"

#include <cmath>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/documents.h"
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

/// u is a window on wider rows, as in a mixer.
struct Case {
  int64_t sequences, length, channels, width;
  DType dtype;
  OwnedTensor rows, weight, bias, out, drows, dweight, dbias;
  OwnedTensor documents;  // begins; empty: one a sequence
  Arena arena;
  Exec exec{Device::cpu, &arena};

  Case(int64_t n, int64_t tokens, int64_t c, int64_t w, DType type)
      : sequences(n),
        length(tokens),
        channels(c),
        width(w),
        dtype(type),
        rows(random_tensor(type, {n * tokens, c + 5}, 1, -2, 2)),
        weight(random_tensor(type, {c, w}, 2)),
        bias(random_tensor(type, {c}, 3)),
        out(filled_tensor(type, {n * tokens, c}, NAN)),
        drows(filled_tensor(type, {n * tokens, c + 5}, NAN)),
        dweight(filled_tensor(type, {c, w}, 0)),
        dbias(filled_tensor(type, {c}, 0)) {}
  Tensor u() const { return rows.tensor().slice(1, 2, channels); }
  Tensor du() const { return drows.tensor().slice(1, 2, channels); }
  CausalConvArgs args() const {
    return {.sequences = sequences, .u = u(), .weight = weight, .bias = bias, .document_begins = documents};
  }
  void forward() { causal_conv_silu(args(), out, exec); }
  void backward(const Tensor& dout) { causal_conv_silu_backward(args(), dout, du(), dweight, dbias, exec); }
};

double expected(const Case& c, int64_t sequence, int64_t t, int64_t channel) {
  const auto u = c.u().view<double, 2>(), w = c.weight.tensor().view<double, 2>();
  const Tensor& documents = c.documents;
  const int64_t begin = documents.empty() ? 0 : documents.view<int32_t, 2>()(sequence, t);
  double pre = c.bias.tensor().as<double>()[channel];
  for (int64_t k = 0; k < c.width; ++k)
    if (const int64_t from = t - c.width + 1 + k; from >= begin)
      pre += w(channel, k) * u(sequence * c.length + from, channel);
  return pre / (1 + std::exp(-pre));
}

TEST(CausalConv, EqualsItsFormulaAndStartsEachSequenceAnew) {
  for (const int64_t width : {1, 2, 4, 8})
    for (const int64_t length : {1, 3, 20}) {
      Case c(2, length, 71, width, DType::f64);
      c.forward();
      const auto out = c.out.tensor().view<double, 2>();
      for (int64_t s = 0; s < 2; ++s)
        for (int64_t t = 0; t < length; ++t)
          for (int64_t i = 0; i < c.channels; ++i)
            ASSERT_NEAR(out(s * length + t, i), expected(c, s, t, i), 1e-13) << width << " " << t << " " << i;
    }
}

TEST(CausalConv, StartsEachDocumentAnewAndItsGradientsToo) {
  for (const int64_t width : {1, 3, 4})
    for (const int64_t length : {1, 3, 12})
      for (const auto& starts : tests::awkward_starts(length)) {
        SCOPED_TRACE(::testing::PrintToString(starts));
        Case c(2, length, 9, width, DType::f64);
        c.documents = tests::documents_at(2, length, starts);
        const OwnedTensor dout = random_tensor(DType::f64, c.out.tensor().shape(), 4);
        c.forward();
        const auto out = c.out.tensor().view<double, 2>();
        for (int64_t row = 0; row < 2 * length; ++row)
          for (int64_t i = 0; i < c.channels; ++i)
            ASSERT_NEAR(out(row, i), expected(c, row / length, row % length, i), 1e-13) << row << " " << i;
        c.backward(dout);
        const auto loss = [&] {
          c.forward();
          return dot(c.out, dout);
        };
        expect_gradient_matches("u", c.u(), c.du(), loss);
        expect_gradient_matches("weight", c.weight, c.dweight, loss);
        expect_gradient_matches("bias", c.bias, c.dbias, loss);
      }
}

TEST(CausalConv, GradientsMatchCentralDifferences) {
  for (const int64_t width : {1, 3, 4}) {
    Case c(2, 11, 13, width, DType::f64);
    const OwnedTensor dout = random_tensor(DType::f64, c.out.tensor().shape(), 4);
    const auto loss = [&] {
      c.forward();
      return dot(c.out, dout);
    };
    c.backward(dout);
    expect_gradient_matches("u", c.u(), c.du(), loss);
    expect_gradient_matches("weight", c.weight, c.dweight, loss);
    expect_gradient_matches("bias", c.bias, c.dbias, loss);
  }
}

TEST(CausalConv, AShortSequenceHasGradientsToo) {
  Case c(3, 2, 5, 4, DType::f64);
  const OwnedTensor dout = random_tensor(DType::f64, c.out.tensor().shape(), 4);
  c.backward(dout);
  expect_gradient_matches("u", c.u(), c.du(), [&] {
    c.forward();
    return dot(c.out, dout);
  });
}

TEST(CausalConv, WritesNothingBesideItsColumns) {
  Case c(1, 6, 13, 4, DType::f32);
  c.backward(random_tensor(DType::f32, c.out.tensor().shape(), 4));
  const auto all = c.drows.tensor().view<float, 2>();
  for (int64_t t = 0; t < 6; ++t)
    for (const int64_t i : {0, 1, 15, 16, 17}) EXPECT_TRUE(std::isnan(all(t, i))) << t << " " << i;
}

TEST(CausalConv, SinglePrecisionStaysCloseToDoubleAlsoAtLargeInputs) {
  Case one(2, 50, 40, 4, DType::f32), two(2, 50, 40, 4, DType::f64);
  for (int64_t i = 0; i < 45; ++i) one.rows.tensor().view<float, 2>()(7, i) *= 300;
  copy_values(one.rows, two.rows);
  copy_values(one.weight, two.weight);
  copy_values(one.bias, two.bias);
  const OwnedTensor dout = random_tensor(DType::f32, one.out.tensor().shape(), 4);
  const OwnedTensor dout_double = filled_tensor(DType::f64, one.out.tensor().shape(), 0);
  copy_values(dout, dout_double);
  one.forward(), two.forward();
  one.backward(dout), two.backward(dout_double);
  EXPECT_LT(relative_difference(one.out, two.out), 1e-6);
  EXPECT_LT(relative_difference(one.du(), two.du()), 1e-6);
  EXPECT_LT(relative_difference(one.dweight, two.dweight), 1e-6);
}

TEST(CausalConv, GradientsAreBitEqualForAnyNumberOfThreads) {
  std::vector<std::vector<double>> results;
  for (const int count : {1, 2, 5}) {
    const tests::ThreadCount threads(count);
    Case c(3, 40, 150, 4, DType::f32);
    c.documents = tests::documents_at(3, 40, {3, 17, 39});
    c.backward(random_tensor(DType::f32, c.out.tensor().shape(), 4));
    results.push_back(values_of(c.dweight));
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(CausalConv, RefusesTokensThatAreNotWholeSequencesAndAWidthItHasNoCodeFor) {
  Case c(2, 3, 4, 4, DType::f32);
  CausalConvArgs args = c.args();
  args.sequences = 4;
  EXPECT_THROW(causal_conv_silu(args, c.out, c.exec), ShapeError);
  Case wide(2, 3, 4, 9, DType::f32);
  EXPECT_THROW(wide.forward(), ShapeError);
}

}  // namespace
}  // namespace hyscale::kernels
