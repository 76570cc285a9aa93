#include "core/kernels/branch_weights.h"
#include "core/kernels/repeat_heads.h"
#include "core/kernels/scale_rows.h"
#include "tests/kernels/cuda/twin.h"

namespace hyscale::tests {
namespace {

enum class Factor { none, per_channel, per_token, one };

struct ScaleCase {
  int64_t tokens, channels;
  Factor factor = Factor::none;
  bool accumulate = false;  // backward: dx over dout
  bool strided = false;
  DType dtype = DType::f32;
  std::string name() const {
    const char* const kinds[] = {"none", "per_channel", "per_token", "one"};
    return std::to_string(tokens) + "x" + std::to_string(channels) + "_" + kinds[static_cast<int>(factor)] +
           (accumulate ? "_in_place" : "") + (strided ? "_strided_" : "_") + std::string(name_of(dtype));
  }
  TwinOptions rows() const { return {.window = strided ? Window{.first = 5, .row = channels + 8} : Window{}}; }
  Shape factor_shape() const {
    return {factor == Factor::per_token ? tokens : 1, factor == Factor::per_channel ? channels : 1};
  }
  // One per token lies in a column of two.
  TwinOptions factor_place() const {
    return {.holds = Holds::wide, .window = factor == Factor::per_token ? Window{.first = 1, .row = 2} : Window{}};
  }
};

std::vector<ScaleCase> scale_cases() {
  std::vector<ScaleCase> all;
  for (const Factor factor : {Factor::none, Factor::per_channel, Factor::per_token, Factor::one})
    for (const bool accumulate : {false, true}) {
      const ScaleCase c{.tokens = 129, .channels = 256, .factor = factor, .accumulate = accumulate};
      for (const auto& [tokens, channels, strided] : {std::tuple{129, 256, false},
                                                      {0, 8, false},
                                                      {1, 1, false},
                                                      {7, 129, true},
                                                      {1000, 72, false},
                                                      {3000, 520, false},
                                                      {65, 2056, false},
                                                      {65, 1030, true}}) {
        all.push_back(c);
        all.back().tokens = tokens, all.back().channels = channels, all.back().strided = strided;
      }
    }
  return in_f32_and_bf16(all);
}

using ScaleRowsTwin = TwinTestOver<ScaleCase>;

TEST_P(ScaleRowsTwin, ScalesAndAdds) {
  const ScaleCase& c = GetParam();
  Twin twin(c.dtype);
  const Shape shape{c.tokens, c.channels};
  const auto x = twin.input("x", shape, c.rows());
  const auto factor =
      c.factor == Factor::none ? TwinTensor{} : twin.input("factor", c.factor_shape(), c.factor_place());
  const auto out = c.accumulate ? twin.updated("out", shape, c.rows()) : twin.output("out", shape, c.rows());
  twin.run([&](const Side& s) {
    kernels::scale_rows({.out = s(out), .x = s(x), .factor = s(factor), .sign = -0.5, .accumulate = c.accumulate},
                        s.exec());
  });
  twin.expect_close({.f32 = 1e-6, .bf16 = 4e-3});
}

TEST_P(ScaleRowsTwin, FindsTheGradientsOfRowsAndFactors) {
  const ScaleCase& c = GetParam();
  Twin twin(c.dtype);
  const Shape shape{c.tokens, c.channels};
  const auto dout = c.accumulate ? twin.updated("dout", shape, c.rows()) : twin.input("dout", shape, c.rows());
  const auto x = twin.input("x", shape, c.rows());
  const auto dx = c.accumulate ? dout : twin.output("dx", shape, c.rows());
  TwinTensor factor, dfactor;
  if (c.factor != Factor::none) {
    factor = twin.input("factor", c.factor_shape(), c.factor_place());
    dfactor = twin.updated("dfactor", c.factor_shape(), c.factor_place());
  }
  twin.run([&](const Side& s) {
    kernels::scale_rows_backward(
        {.dx = s(dx), .dfactor = s(dfactor), .dout = s(dout), .x = s(x), .factor = s(factor), .sign = -0.5}, s.exec());
  });
  twin.expect_close(dx, {.f32 = 1e-6, .bf16 = 4e-3});
  // One sum over all entries may nearly cancel.
  const double allowed = c.factor == Factor::one ? 1e-4 : 1e-5;
  if (c.factor != Factor::none) twin.expect_close(dfactor, {.f32 = allowed, .bf16 = allowed});
}

INSTANTIATE_TEST_SUITE_P(Shapes, ScaleRowsTwin, testing::ValuesIn(scale_cases()), named);

struct BranchCase {
  int64_t tokens, columns;
  DType dtype = DType::f32;
  std::string name() const {
    return std::to_string(tokens) + "x" + std::to_string(columns) + "_" + std::string(name_of(dtype));
  }
};

std::vector<BranchCase> branch_cases() {
  std::vector<BranchCase> all;
  for (const int64_t tokens : {0, 1, 7, 129, 1000})
    for (const int64_t columns : {1, 2}) all.push_back({.tokens = tokens, .columns = columns});
  return in_f32_and_bf16(all);
}

using BranchWeightsTwin = TwinTestOver<BranchCase>;

TEST_P(BranchWeightsTwin, WeighsBranchesAndFindsTheGradientsOfLogits) {
  const BranchCase& c = GetParam();
  Twin twin(c.dtype);
  const TwinOptions wide{.holds = Holds::wide, .low = -2, .high = 2};
  const auto logits = twin.input("logits", {c.tokens, c.columns}, {.low = -4, .high = 4});
  const auto weights = twin.output("weights", {c.tokens, 2}, wide),
             dweights = twin.input("dweights", {c.tokens, 2}, wide);
  const auto dlogits = twin.output("dlogits", {c.tokens, c.columns});
  twin.run([&](const Side& s) {
    kernels::branch_weights({.weights = s(weights), .logits = s(logits)}, s.exec());
    kernels::branch_weights_backward({.dlogits = s(dlogits), .dweights = s(dweights), .weights = s(weights)}, s.exec());
  });
  twin.expect_close(weights, {.f32 = 1e-6, .bf16 = 1e-6});
  twin.expect_close(dlogits, {.f32 = 2e-6, .bf16 = 4e-3});
}

INSTANTIATE_TEST_SUITE_P(Shapes, BranchWeightsTwin, testing::ValuesIn(branch_cases()), named);

TEST_F(TwinTest, DiffLambdaAndItsGradientMatch) {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const int64_t dim : {1, 31, 64, 129}) {
      Twin twin(dtype);
      const auto vectors = twin.input("vectors", {4, dim}, {.low = -0.2, .high = 0.2});
      const auto lambda = twin.output("lambda", {1, 1}, {.holds = Holds::wide});
      const auto dlambda = twin.input("dlambda", {1, 1}, {.holds = Holds::wide});
      const auto dvectors = twin.updated("dvectors", {4, dim}, {.holds = Holds::wide});
      twin.run([&](const Side& s) {
        kernels::diff_lambda({.lambda = s(lambda), .vectors = s(vectors), .initial = 0.8}, s.exec());
        kernels::diff_lambda_backward({.dvectors = s(dvectors), .dlambda = s(dlambda), .vectors = s(vectors)},
                                      s.exec());
      });
      twin.expect_close({.f32 = 2e-6, .bf16 = 2e-6});
    }
}

struct HeadsCase {
  int64_t tokens, kv_heads, repeats, dim;
  int64_t first = 0;
  DType dtype = DType::f32;
  std::string name() const {
    std::string text;
    for (const int64_t size : {tokens, kv_heads, repeats, dim, first}) text += std::to_string(size) + "_";
    return text + std::string(name_of(dtype));
  }
  TwinOptions rows(int64_t width) const { return {.window = {.first = first, .row = first + width + first}}; }
};

using HeadsTwin = TwinTestOver<HeadsCase>;

TEST_P(HeadsTwin, RepeatsHeadsAndSumsThem) {
  const HeadsCase& c = GetParam();
  Twin twin(c.dtype);
  const int64_t few_width = c.kv_heads * c.dim, many_width = few_width * c.repeats;
  const auto few = twin.input("few", {c.tokens, few_width}, c.rows(few_width));
  const auto many = twin.input("many", {c.tokens, many_width}, c.rows(many_width));
  const auto repeated = twin.output("repeated", {c.tokens, many_width}, c.rows(many_width));
  const auto summed = twin.output("summed", {c.tokens, few_width}, c.rows(few_width));
  twin.run([&](const Side& s) {
    kernels::repeat_heads({.out = s(repeated), .x = s(few), .kv_heads = c.kv_heads}, s.exec());
    kernels::sum_heads({.dx = s(summed), .dout = s(many), .kv_heads = c.kv_heads}, s.exec());
  });
  twin.expect_close(repeated, {.f32 = 0, .bf16 = 0});
  twin.expect_close(summed, {.f32 = 1e-6, .bf16 = 4e-3});
}

INSTANTIATE_TEST_SUITE_P(Shapes, HeadsTwin,
                         testing::ValuesIn(in_f32_and_bf16<HeadsCase>({
                             {.tokens = 0, .kv_heads = 1, .repeats = 2, .dim = 8},
                             {.tokens = 1, .kv_heads = 1, .repeats = 1, .dim = 1},
                             {.tokens = 129, .kv_heads = 8, .repeats = 4, .dim = 64, .first = 8},
                             {.tokens = 7, .kv_heads = 3, .repeats = 5, .dim = 20, .first = 3},
                             {.tokens = 1000, .kv_heads = 2, .repeats = 3, .dim = 24},
                         })),
                         named);

}  // namespace
}  // namespace hyscale::tests
