#include "core/kernels/cross_entropy.h"
#include "tests/kernels/cuda/twin.h"

namespace hyscale::tests {
namespace {

struct CrossEntropyCase {
  int64_t tokens, channels, vocabulary;
  bool backward = true;
  double spread = 1;  // of x: logits grow with it
  DType dtype = DType::bf16;
  std::string name() const {
    return std::to_string(tokens) + "_tokens_" + std::to_string(channels) + "_channels_" + std::to_string(vocabulary) +
           "_words" + (backward ? "" : "_forward") + (spread > 1 ? "_sharp_" : "_") + std::string(name_of(dtype));
  }
};

std::vector<CrossEntropyCase> cases() {
  return {{.tokens = 1, .channels = 8, .vocabulary = 33},
          {.tokens = 7, .channels = 16, .vocabulary = 5},
          {.tokens = 129, .channels = 40, .vocabulary = 257},
          {.tokens = 129, .channels = 40, .vocabulary = 256, .backward = false},
          {.tokens = 65, .channels = 64, .vocabulary = 300, .spread = 20},
          {.tokens = 33, .channels = 32, .vocabulary = 4099},
          {.tokens = 9, .channels = 32, .vocabulary = 12001},
          {.tokens = 9, .channels = 32, .vocabulary = 32768},
          {.tokens = 5, .channels = 16, .vocabulary = 70007},
          {.tokens = 1300, .channels = 8, .vocabulary = 250000, .backward = false}};
}

std::vector<int32_t> targets_of(const CrossEntropyCase& c) {
  std::vector<int32_t> targets;
  for (int64_t t = 0; t < c.tokens; ++t)
    targets.push_back(t % 5 == 3 ? -1 : static_cast<int32_t>((t * 7919 + c.vocabulary - 1) % c.vocabulary));
  return targets;
}

using CrossEntropyTwin = TwinTestOver<CrossEntropyCase>;

TEST_P(CrossEntropyTwin, HasTheCpusLossAndGradients) {
  const CrossEntropyCase& c = GetParam();
  Twin twin(c.dtype);
  const auto x = twin.input("x", {c.tokens, c.channels}, {.low = -c.spread, .high = c.spread});
  const auto weight = twin.input("weight", {c.vocabulary, c.channels});
  const auto targets = twin.integers("targets", {c.tokens}, targets_of(c));
  const auto loss = twin.updated("loss", {1}, {.holds = Holds::f64});
  const auto nll = twin.output("nll", {c.tokens}, {.holds = Holds::f32});
  TwinTensor dx, dweight;
  if (c.backward) {
    dx = twin.output("dx", {c.tokens, c.channels});
    dweight = twin.updated("dweight", {c.vocabulary, c.channels}, {.holds = Holds::wide, .low = -1e-3, .high = 1e-3});
  }
  twin.run([&](const Side& s) {
    kernels::cross_entropy({.x = s(x),
                            .weight = s(weight),
                            .targets = s(targets),
                            .loss = s(loss),
                            .nll = s(nll),
                            .dx = s(dx),
                            .dweight = s(dweight),
                            .scale = 0.125},
                           s.exec());
  });
  // logits are as coarse as activations
  twin.expect_close(loss, {.f32 = 2e-6, .bf16 = 3e-3});
  twin.expect_close(nll, {.f32 = 3e-6, .bf16 = 5e-3});
  if (!c.backward) return;
  const double coarse = c.spread > 1 ? 8e-2 : 1.5e-2;  // a probability is off by what its logit is off
  twin.expect_close(dx, {.f32 = 1e-5, .bf16 = coarse});
  twin.expect_close(dweight, {.f32 = 1e-5, .bf16 = coarse});
}

INSTANTIATE_TEST_SUITE_P(Shapes, CrossEntropyTwin, testing::ValuesIn(in_f32_and_bf16(cases())), named);

using CrossEntropyTwinTest = TwinTest;

TEST_F(CrossEntropyTwinTest, SumsInSeveralChunks) {
  Twin twin(DType::bf16);
  // rows of 512 KiB: 1024 a chunk
  const int64_t tokens = 1100, channels = 8, vocabulary = int64_t{1} << 18;
  const auto x = twin.input("x", {tokens, channels});
  const auto weight = twin.input("weight", {vocabulary, channels});
  const auto targets = twin.integers("targets", {tokens}, static_cast<int32_t>(vocabulary));
  const auto nll = twin.output("nll", {tokens}, {.holds = Holds::f32});
  const auto dx = twin.output("dx", {tokens, channels});
  const auto dweight = twin.updated("dweight", {vocabulary, channels}, {.holds = Holds::wide, .low = 0, .high = 1e-3});
  twin.run([&](const Side& s) {
    kernels::cross_entropy({.x = s(x),
                            .weight = s(weight),
                            .targets = s(targets),
                            .loss = {},
                            .nll = s(nll),
                            .dx = s(dx),
                            .dweight = s(dweight)},
                           s.exec());
  });
  twin.expect_close(nll, {.bf16 = 5e-3});
  twin.expect_close(dx, {.bf16 = 1.5e-2});
  twin.expect_close(dweight, {.bf16 = 1.5e-2});
}

}  // namespace
}  // namespace hyscale::tests
