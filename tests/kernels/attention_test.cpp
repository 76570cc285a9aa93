#include "core/kernels/attention.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "core/base/error.h"
#include "tests/support/documents.h"
#include "tests/support/gradient_check.h"
#include "tests/support/threads.h"

namespace hyscale::kernels {

using tests::copy_values;
using tests::expect_gradient_matches;
using tests::random_tensor;
using tests::relative_difference;
using tests::values_of;

struct Case {
  int64_t sequences, length, heads, kv_heads, dim, value_dim;
  CausalMask mask;
};

static std::string describe(const Case& c) {
  return ::testing::PrintToString(std::vector<int64_t>{c.sequences, c.length, c.heads, c.kv_heads, c.dim, c.value_dim,
                                                       c.mask.window, c.mask.sinks});
}

// Lengths below, at and above the tiles; windows that begin inside a tile and skip whole ones.
static const Case kCases[] = {
    {2, 1, 2, 2, 4, 4, {}},        {1, 7, 3, 1, 5, 9, {}},          {2, 64, 2, 2, 8, 8, {}},
    {1, 129, 4, 2, 6, 10, {}},     {1, 7, 2, 1, 4, 4, {3, 0}},      {1, 7, 2, 1, 4, 4, {3, 2}},
    {1, 129, 2, 1, 6, 4, {20, 3}}, {1, 200, 2, 2, 4, 6, {65, 70}},  {1, 200, 1, 1, 4, 4, {1, 0}},
    {1, 300, 2, 1, 4, 4, {16, 1}}, {1, 129, 2, 1, 4, 4, {500, 10}},
};

// Everything of one case; q, k and v are columns of one wider matrix, as a mixer has them.
struct Memory {
  Memory(const Case& c, DType dtype)
      : qkv(random_tensor(dtype, {c.sequences, c.length, (c.heads + c.kv_heads) * c.dim + c.kv_heads * c.value_dim}, 1,
                          -2, 2)),
        out(dtype, {c.sequences, c.length, c.heads, c.value_dim}),
        lse(dtype, {c.sequences, c.heads, c.length}),
        args(arguments(c, qkv)) {}
  AttentionArgs arguments(const Case& c, const Tensor& wide) const {
    const auto part = [&](int64_t begin, int64_t heads, int64_t dim) {
      return wide.slice(2, begin, heads * dim).reshape({c.sequences, c.length, heads, dim});
    };
    return {.out = out,
            .lse = lse,
            .q = part(0, c.heads, c.dim),
            .k = part(c.heads * c.dim, c.kv_heads, c.dim),
            .v = part((c.heads + c.kv_heads) * c.dim, c.kv_heads, c.value_dim),
            .scale = 0.7,
            .mask = c.mask};
  }
  OwnedTensor qkv, out, lse;
  AttentionArgs args;
};

static bool sees(const CausalMask& mask, int64_t document, int64_t query, int64_t key) {
  return key >= document && key <= query &&
         (mask.window == 0 || query - key < mask.window || key - document < mask.sinks);
}

// The definition: one whole row of softmax at a time.
static void naive_attention(const AttentionArgs& a) {
  const auto q = a.q.view<double, 4>(), k = a.k.view<double, 4>(), v = a.v.view<double, 4>(),
             out = a.out.view<double, 4>();
  const auto lse = a.lse.view<double, 3>();
  const int64_t group = q.extent(2) / k.extent(2);
  for (int64_t s = 0; s < q.extent(0); ++s)
    for (int64_t h = 0; h < q.extent(2); ++h)
      for (int64_t i = 0; i < q.extent(1); ++i) {
        double sum = 0;
        for (int64_t d = 0; d < v.extent(3); ++d) out(s, i, h, d) = 0;
        for (int64_t j = 0; j <= i; ++j) {
          const int64_t document = a.document_begins.empty() ? 0 : a.document_begins.view<int32_t, 2>()(s, i);
          if (!sees(a.mask, document, i, j)) continue;
          double score = 0;
          for (int64_t d = 0; d < q.extent(3); ++d) score += a.scale * q(s, i, h, d) * k(s, j, h / group, d);
          sum += std::exp(score);
          for (int64_t d = 0; d < v.extent(3); ++d) out(s, i, h, d) += std::exp(score) * v(s, j, h / group, d);
        }
        for (int64_t d = 0; d < v.extent(3); ++d) out(s, i, h, d) /= sum;
        lse(s, h, i) = std::log(sum);
      }
}

TEST(Attention, MatchesAnExplicitMaskedSoftmax) {
  for (const Case& c : kCases) {
    Memory tiled(c, DType::f64), naive(c, DType::f64);
    attention(tiled.args, {});
    naive_attention(naive.args);
    EXPECT_LT(relative_difference(tiled.out, naive.out), 1e-12) << describe(c);
    EXPECT_LT(relative_difference(tiled.lse, naive.lse), 1e-12) << describe(c);
  }
}

struct Gradients {
  Gradients(const Case& c, const Memory& memory, DType dtype)
      : dout(random_tensor(dtype, memory.out.tensor().shape(), 2)), dqkv(dtype, memory.qkv.tensor().shape()) {
    const AttentionArgs windows = memory.arguments(c, dqkv);
    attention_backward({.dq = windows.q, .dk = windows.k, .dv = windows.v, .dout = dout, .saved = memory.args}, {});
  }
  OwnedTensor dout, dqkv;
};

TEST(Attention, BackwardMatchesCentralDifferences) {
  for (const Case& c : kCases) {
    const Memory memory(c, DType::f64);
    attention(memory.args, {});
    const Gradients gradients(c, memory, DType::f64);
    const auto loss = [&] {
      attention(memory.args, {});
      return tests::dot(memory.out, gradients.dout);
    };
    expect_gradient_matches("qkv of " + describe(c), memory.qkv, gradients.dqkv, loss, {.most = 150});
  }
}

TEST(Attention, SeesNothingBeforeItsDocumentWhoseFirstTokensAreItsSinks) {
  for (const Case& c : kCases)
    for (const auto& starts : tests::awkward_starts(c.length)) {
      SCOPED_TRACE(describe(c) + " " + ::testing::PrintToString(starts));
      const OwnedTensor begins = tests::documents_at(c.sequences, c.length, starts);
      Memory tiled(c, DType::f64), naive(c, DType::f64);
      tiled.args.document_begins = naive.args.document_begins = begins;
      attention(tiled.args, {});
      naive_attention(naive.args);
      EXPECT_LT(relative_difference(tiled.out, naive.out), 1e-12);
      EXPECT_LT(relative_difference(tiled.lse, naive.lse), 1e-12);
      const Gradients gradients(c, tiled, DType::f64);
      const auto loss = [&] {
        naive_attention(naive.args);
        return tests::dot(naive.out, gradients.dout);
      };
      expect_gradient_matches("qkv", naive.qkv, gradients.dqkv, loss, {.most = c.length > 100 ? 8 : 40});
    }
}

TEST(Attention, WithOneDocumentGivesTheBitsOfNone) {
  const Case c{2, 200, 2, 1, 8, 8, {65, 3}};
  Memory plain(c, DType::f32), marked(c, DType::f32);
  const OwnedTensor begins = tests::documents_at(2, 200, {});
  marked.args.document_begins = begins;
  attention(plain.args, {});
  attention(marked.args, {});
  EXPECT_EQ(values_of(plain.out), values_of(marked.out));
  EXPECT_EQ(values_of(Gradients(c, plain, DType::f32).dqkv), values_of(Gradients(c, marked, DType::f32).dqkv));
}

TEST(Attention, SinglePrecisionAgreesWithDouble) {
  for (const Case& c : kCases) {
    const Memory one(c, DType::f32), two(c, DType::f64);
    copy_values(one.qkv, two.qkv);
    attention(one.args, {});
    attention(two.args, {});
    EXPECT_LT(relative_difference(one.out, two.out), 3e-6) << describe(c);
    Gradients of_one(c, one, DType::f32);
    Gradients of_two(c, two, DType::f64);
    EXPECT_LT(relative_difference(of_one.dqkv, of_two.dqkv), 1e-5) << describe(c);
  }
}

TEST(Attention, GivesTheSameBitsOnOneAndOnThreeThreads) {
  const Case c{3, 200, 4, 2, 8, 8, {}};
  const OwnedTensor begins = tests::documents_at(3, 200, {7, 70, 71, 150});
  const auto run_on = [&](int threads) {
    const tests::ThreadCount count(threads);
    Memory memory(c, DType::f32);
    memory.args.document_begins = begins;
    attention(memory.args, {});
    const Gradients gradients(c, memory, DType::f32);
    return values_of(gradients.dqkv);
  };
  EXPECT_EQ(run_on(1), run_on(3));
}

TEST(Attention, StaysFiniteForScoresThatOverflowAnExponential) {
  const Memory memory({1, 70, 1, 1, 4, 4, {}}, DType::f32);
  AttentionArgs args = memory.args;
  args.scale = 1e4;
  attention(args, {});
  for (const double value : values_of(memory.out)) ASSERT_TRUE(std::isfinite(value) && std::abs(value) <= 2.001);
}

TEST(Attention, ARowThatSeesNothingOfAWholeTileStaysFiniteAtAnyScale) {
  const OwnedTensor begins = tests::documents_at(1, 200, {70, 71, 150});
  for (const Case& c : {Case{1, 200, 1, 1, 4, 4, {20, 0}}, Case{1, 200, 1, 1, 4, 4, {}}})
    for (int dim = 1; dim < 130; ++dim) {
      Memory memory(c, DType::f32);
      memory.args.scale = 1 / std::sqrt(dim);
      if (c.mask.window == 0) memory.args.document_begins = begins;
      attention(memory.args, {});
      for (const double value : values_of(memory.out)) ASSERT_TRUE(std::abs(value) <= 2.001) << dim;
      for (const double value : values_of(memory.lse)) ASSERT_TRUE(std::isfinite(value)) << dim;
    }
}

TEST(Attention, RefusesDocumentsOfAnotherShape) {
  Memory memory({2, 8, 1, 1, 4, 4, {}}, DType::f32);
  const OwnedTensor begins = tests::documents_at(1, 8, {});
  memory.args.document_begins = begins;
  EXPECT_THROW(attention(memory.args, {}), ShapeError);
}

TEST(Attention, RefusesHeadsThatDoNotShareKeysEvenly) {
  const OwnedTensor q(DType::f32, {1, 4, 3, 2}), k(DType::f32, {1, 4, 2, 2}), lse(DType::f32, {1, 3, 4});
  EXPECT_THAT([&] { attention({.out = q, .lse = lse, .q = q, .k = k, .v = k, .mask = {}}, {}); },
              ::testing::ThrowsMessage<ShapeError>(::testing::HasSubstr("3 heads do not share 2")));
}

}  // namespace hyscale::kernels
