#include <cmath>
#include <limits>

#include "core/kernels/embedding.h"
#include "tests/kernels/cuda/twin.h"

namespace hyscale::tests {
namespace {

enum class Draw { evenly, one, few_often };  // which tokens

struct EmbeddingCase {
  int64_t tokens, channels;
  int32_t vocabulary;
  Draw draw = Draw::evenly;
  bool strided = false;
  DType dtype = DType::f32;
  std::string name() const {
    const char* const drawn = draw == Draw::evenly ? "evenly" : draw == Draw::one ? "one" : "few_often";
    return std::to_string(tokens) + "x" + std::to_string(channels) + "_of_" + std::to_string(vocabulary) + "_" + drawn +
           (strided ? "_strided_" : "_") + std::string(name_of(dtype));
  }
  TwinOptions rows(Holds holds = Holds::activations) const {
    return {.holds = holds, .window = strided ? Window{.first = 3, .row = channels + 6} : Window{}};
  }
};

std::vector<EmbeddingCase> cases() {
  return in_f32_and_bf16<EmbeddingCase>({
      {.tokens = 0, .channels = 8, .vocabulary = 5},
      {.tokens = 1, .channels = 1, .vocabulary = 1},
      {.tokens = 7, .channels = 16, .vocabulary = 3},
      {.tokens = 32, .channels = 64, .vocabulary = 2},
      {.tokens = 33, .channels = 64, .vocabulary = 1000},
      {.tokens = 129, .channels = 129, .vocabulary = 50, .strided = true},
      {.tokens = 1000, .channels = 72, .vocabulary = 1024, .draw = Draw::one},
      {.tokens = 1000, .channels = 264, .vocabulary = 257, .draw = Draw::few_often},
      {.tokens = 5000, .channels = 24, .vocabulary = 65536, .draw = Draw::few_often},
      {.tokens = 70, .channels = 2056, .vocabulary = 9},
      {.tokens = 70, .channels = 1030, .vocabulary = 9, .strided = true},
  });
}

class EmbeddingTwin : public TwinTestOver<EmbeddingCase> {
 protected:
  static TwinTensor tokens_of(Twin& twin, const EmbeddingCase& c) {
    if (c.draw == Draw::evenly) return twin.integers("tokens", {c.tokens}, c.vocabulary);
    std::vector<int32_t> tokens(static_cast<size_t>(c.tokens), c.vocabulary - 1);
    for (size_t t = 0; c.draw == Draw::few_often && t < tokens.size(); ++t)
      if (t % 3 == 0) tokens[t] = static_cast<int32_t>(t * t % static_cast<size_t>(c.vocabulary));
    return twin.integers("tokens", {c.tokens}, tokens);
  }
};

TEST_P(EmbeddingTwin, GathersRows) {
  const EmbeddingCase& c = GetParam();
  Twin twin(c.dtype);
  const auto tokens = tokens_of(twin, c);
  const auto weight = twin.input("weight", {c.vocabulary, c.channels}, c.rows());
  const auto out = twin.output("out", {c.tokens, c.channels}, c.rows());
  twin.run(
      [&](const Side& s) { kernels::embedding({.out = s(out), .tokens = s(tokens), .weight = s(weight)}, s.exec()); });
  twin.expect_close({.f32 = 0, .bf16 = 0});
}

TEST_P(EmbeddingTwin, AddsUpTheGradientsOfEqualTokens) {
  const EmbeddingCase& c = GetParam();
  Twin twin(c.dtype);
  const auto tokens = tokens_of(twin, c);
  const auto dout = twin.input("dout", {c.tokens, c.channels}, c.rows());
  const auto dweight = twin.updated("dweight", {c.vocabulary, c.channels}, c.rows(Holds::wide));
  twin.run([&](const Side& s) {
    kernels::embedding_backward({.dweight = s(dweight), .tokens = s(tokens), .dout = s(dout)}, s.exec());
  });
  twin.expect_close({.f32 = 2e-6, .bf16 = 2e-6});  // summed in f32 from the same values
}

INSTANTIATE_TEST_SUITE_P(Shapes, EmbeddingTwin, testing::ValuesIn(cases()), named);

// The CPU throws at such tokens, so its side is given what the GPU promises.
TEST_F(TwinTest, EmbeddingMakesNanOfTokensOutsideTheVocabularyAndLeavesThemOutOfGradients) {
  Twin twin(DType::bf16);
  const auto tokens = twin.integers("tokens", {4}, std::vector<int32_t>{2, -1, 3, 1});
  const auto inside = twin.integers("inside", {2}, std::vector<int32_t>{2, 1});
  const auto weight = twin.input("weight", {3, 8}), dout = twin.input("dout", {4, 8});
  const auto dweight = twin.updated("dweight", {3, 8}, {.holds = Holds::wide});
  const auto out = twin.output("out", {4, 8}), first = twin.output("first row", {1, 8});
  const auto gather = [&](const Side& s, const Tensor& to, const Tensor& ids) {
    kernels::embedding({.out = to, .tokens = ids, .weight = s(weight)}, s.exec());
  };
  twin.run([&](const Side& s) {
    gather(s, s(first), s(inside).slice(0, 0, 1));
    if (s.exec().device == Device::cuda) {
      gather(s, s(out), s(tokens));
      return kernels::embedding_backward({.dweight = s(dweight), .tokens = s(tokens), .dout = s(dout)}, s.exec());
    }
    for (const int64_t row : {0, 3}) {
      const Tensor token = s(inside).slice(0, row / 3, 1);
      gather(s, s(out).slice(0, row, 1), token);
      kernels::embedding_backward({.dweight = s(dweight), .tokens = token, .dout = s(dout).slice(0, row, 1)}, s.exec());
    }
  });
  twin.expect_close(first, {.bf16 = 0});
  twin.expect_close(dweight, {.bf16 = 1e-6});
  const std::vector<double> rows = twin.gpu_values(out), expected = twin.cpu_values(out);
  for (size_t i = 0; i < rows.size(); ++i) {
    const bool outside = i / 8 == 1 || i / 8 == 2;
    EXPECT_TRUE(outside ? std::isnan(rows[i]) : rows[i] == expected[i]) << "entry " << i;
  }
}

}  // namespace
}  // namespace hyscale::tests
