#include "core/kernels/gemm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/gradient_check.h"
#include "tests/support/threads.h"

namespace hyscale::kernels {

using tests::filled_tensor;
using tests::random_tensor;
using tests::relative_difference;
using tests::values_of;

struct Shape {
  int64_t m, n, k;
};

// Both gemms on equal operands that are windows (one column of margin) on wider memory.
static double difference(DType dtype, Shape s, bool transpose_a, bool transpose_b, bool accumulate) {
  const auto window = [&](int64_t rows, int64_t cols, uint64_t seed) {
    return random_tensor(dtype, {rows, cols + 1}, seed);
  };
  const OwnedTensor a = transpose_a ? window(s.k, s.m, 1) : window(s.m, s.k, 1);
  const OwnedTensor b = transpose_b ? window(s.n, s.k, 2) : window(s.k, s.n, 2);
  const OwnedTensor mine = window(s.m, s.n, 3), wanted = window(s.m, s.n, 3);
  const auto inner = [](const Tensor& t) { return t.slice(1, 0, t.extent(1) - 1); };
  const auto args = [&](const Tensor& out) {
    return GemmArgs{.out = inner(out),
                    .a = inner(a),
                    .b = inner(b),
                    .transpose_a = transpose_a,
                    .transpose_b = transpose_b,
                    .accumulate = accumulate,
                    .alpha = accumulate ? -0.5 : 1.0};
  };
  gemm(args(mine), {});
  reference_gemm(args(wanted));
  return relative_difference(mine, wanted);  // margins included: a stray write shows
}

TEST(Gemm, MatchesPlainLoopsForEveryLayoutAndOddShape) {
  for (const Shape s : {Shape{1, 1, 1},
                        {7, 5, 3},
                        {4, 131, 67},
                        {8, 64, 160},
                        {9, 64, 160},
                        {1, 33, 17},
                        {33, 1, 17},
                        {33, 17, 1},
                        {300, 47, 65},
                        {48, 258, 129},
                        {9000, 3, 2},
                        {200, 530, 300}})
    for (const bool ta : {false, true})
      for (const bool tb : {false, true})
        for (const bool accumulate : {false, true}) {
          const auto where = ::testing::Message() << s.m << "x" << s.n << "x" << s.k << ta << tb << accumulate;
          EXPECT_LT(difference(DType::f32, s, ta, tb, accumulate), 3e-6) << where;
          EXPECT_LT(difference(DType::f64, s, ta, tb, accumulate), 1e-13) << where;
        }
}

TEST(Gemm, MultipliesEveryEntryOfAStridedBatch) {
  // heads of one projection: [tokens, head, dim] seen as [head, tokens, dim]
  const OwnedTensor memory = random_tensor(DType::f32, {3, 9, 8}, 4);
  const OwnedTensor b = random_tensor(DType::f32, {3, 5, 8}, 5);
  const OwnedTensor mine(DType::f32, {3, 9, 5}), wanted(DType::f32, {3, 9, 5});
  GemmArgs args{.out = mine, .a = memory, .b = b, .transpose_b = true};
  gemm(args, {});
  args.out = wanted;
  reference_gemm(args);
  EXPECT_LT(relative_difference(mine, wanted), 1e-6);
}

TEST(Gemm, TreatsAnEmptyInnerAxisAsASumWithoutTerms) {
  const OwnedTensor a(DType::f32, {2, 0}), b(DType::f32, {0, 3});
  const OwnedTensor out = filled_tensor(DType::f32, {2, 3}, 5);
  gemm({.out = out, .a = a, .b = b, .accumulate = true}, {});
  EXPECT_THAT(values_of(out), ::testing::Each(5.0));
  gemm({.out = out, .a = a, .b = b}, {});
  EXPECT_THAT(values_of(out), ::testing::Each(0.0));
}

TEST(Gemm, GivesTheSameBitsOnOneAndOnThreeThreads) {
  const OwnedTensor a = random_tensor(DType::f32, {1500, 130}, 6), b = random_tensor(DType::f32, {130, 90}, 7);
  const auto product_on = [&](int threads) {
    const tests::ThreadCount count(threads);
    const OwnedTensor out(DType::f32, {1500, 90});
    gemm({.out = out, .a = a, .b = b}, {});
    return values_of(out);
  };
  EXPECT_EQ(product_on(1), product_on(3));
}

TEST(Gemm, NamesTheShapesThatDoNotFit) {
  const OwnedTensor a(DType::f32, {2, 3}), b(DType::f32, {4, 5}), out(DType::f32, {2, 5});
  EXPECT_THAT([&] { gemm({.out = out, .a = a, .b = b}, {}); },
              ::testing::ThrowsMessage<ShapeError>(
                  ::testing::AllOf(::testing::HasSubstr("f32[2, 3]"), ::testing::HasSubstr("f32[4, 5]"))));
}

}  // namespace hyscale::kernels
