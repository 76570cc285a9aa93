#include "core/kernels/rms_norm.h"
#include "tests/kernels/cuda/twin.h"

namespace hyscale::tests {
namespace {

struct NormCase {
  int64_t tokens, channels;
  bool adds = false;
  bool strided = false;  // rows apart, at odd places: one entry at a time
  DType dtype = DType::f32;
  std::string name() const {
    return std::to_string(tokens) + "x" + std::to_string(channels) + (adds ? "_adds" : "") +
           (strided ? "_strided" : "") + "_" + std::string(name_of(dtype));
  }
  TwinOptions rows(int64_t first) const {
    return strided ? TwinOptions{.window = {.first = first, .row = channels + first + 2}} : TwinOptions{};
  }
};

// Widths on both sides of every way that a row is shared out among threads, and beyond what registers hold.
std::vector<NormCase> cases() {
  std::vector<NormCase> all;
  for (const int64_t channels : {1, 7, 8, 256, 264, 512, 1000, 1024, 1032, 2048, 4096, 5000, 8192, 9000})
    for (const bool adds : {false, true}) all.push_back({.tokens = 7, .channels = channels, .adds = adds});
  for (const int64_t channels : {1, 5, 129, 1030})
    for (const bool adds : {false, true})
      all.push_back({.tokens = 129, .channels = channels, .adds = adds, .strided = true});
  for (const int64_t tokens : {0, 1, 129, 1000, 9001}) all.push_back({.tokens = tokens, .channels = 72, .adds = true});
  // More rows than blocks: each block takes several, also of rows too wide for registers.
  all.push_back({.tokens = 2500, .channels = 1536, .adds = true});
  all.push_back({.tokens = 300, .channels = 8200, .adds = true});
  all.push_back({.tokens = 300, .channels = 1030, .strided = true});
  return in_f32_and_bf16(all);
}

using RmsNormTwin = TwinTestOver<NormCase>;

TEST_P(RmsNormTwin, NormsRowsAndKeepsTheirSum) {
  const NormCase& c = GetParam();
  Twin twin(c.dtype);
  const Shape shape{c.tokens, c.channels};
  const auto x = twin.input("x", shape, c.rows(3)),
             delta = c.adds ? twin.input("delta", shape, c.rows(1)) : TwinTensor{};
  const auto weight = twin.input("weight", {c.channels}, {.holds = Holds::wide, .low = 0.5, .high = 1.5});
  const auto out = twin.output("out", shape, c.rows(5)), rstd = twin.output("rstd", {c.tokens}, {.holds = Holds::wide});
  const auto sum = c.adds ? twin.output("sum", shape, c.rows(7)) : TwinTensor{};
  twin.run([&](const Side& s) {
    kernels::rms_norm(
        {.out = s(out), .rstd = s(rstd), .sum = s(sum), .x = s(x), .delta = s(delta), .weight = s(weight)}, s.exec());
  });
  twin.expect_close({.f32 = 2e-6, .bf16 = 5e-3});
}

TEST_P(RmsNormTwin, FindsTheGradientsOfRowsAndWeight) {
  const NormCase& c = GetParam();
  Twin twin(c.dtype);
  const Shape shape{c.tokens, c.channels};
  const auto x = twin.input("x", shape, c.rows(3)), dout = twin.input("dout", shape, c.rows(1));
  const auto rstd = twin.input("rstd", {c.tokens}, {.holds = Holds::wide, .low = 1, .high = 2});
  const auto weight = twin.input("weight", {c.channels}, {.holds = Holds::wide, .low = 0.5, .high = 1.5});
  const auto dx = c.adds ? twin.updated("dx", shape, c.rows(5)) : twin.output("dx", shape, c.rows(5));
  const auto dweight = twin.updated("dweight", {c.channels}, {.holds = Holds::wide});
  twin.run([&](const Side& s) {
    kernels::rms_norm_backward({.dx = s(dx),
                                .dweight = s(dweight),
                                .dout = s(dout),
                                .x = s(x),
                                .rstd = s(rstd),
                                .weight = s(weight),
                                .accumulate = c.adds},
                               s.exec());
  });
  twin.expect_close(dx, {.f32 = 3e-6, .bf16 = 5e-3});
  twin.expect_close(dweight, {.f32 = 5e-6, .bf16 = 5e-6});  // summed in f32 from the same values
}

INSTANTIATE_TEST_SUITE_P(Shapes, RmsNormTwin, testing::ValuesIn(cases()), named);

TEST_F(TwinTest, RmsNormWritesTheSumOverEitherOfItsTerms) {
  for (const bool over_x : {false, true}) {
    Twin twin(DType::bf16);
    const Shape shape{33, 520};
    const auto x = over_x ? twin.updated("x", shape) : twin.input("x", shape);
    const auto delta = over_x ? twin.input("delta", shape) : twin.updated("delta", shape);
    const auto weight = twin.input("weight", {520}, {.holds = Holds::wide});
    const auto out = twin.output("out", shape), rstd = twin.output("rstd", {33}, {.holds = Holds::wide});
    twin.run([&](const Side& s) {
      kernels::rms_norm({.out = s(out),
                         .rstd = s(rstd),
                         .sum = s(over_x ? x : delta),
                         .x = s(x),
                         .delta = s(delta),
                         .weight = s(weight)},
                        s.exec());
    });
    twin.expect_close({.bf16 = 5e-3});
  }
}

}  // namespace
}  // namespace hyscale::tests
