#include "core/kernels/rope.h"
#include "core/kernels/swiglu.h"
#include "tests/kernels/cuda/twin.h"

namespace hyscale::tests {
namespace {

struct SwigluCase {
  int64_t tokens, d_ff;
  int64_t first = 0, row_gap = 0;  // of windows on wider rows
  DType dtype = DType::f32;
  std::string name() const {
    return std::to_string(tokens) + "x" + std::to_string(d_ff) + "_from_" + std::to_string(first) + "_" +
           std::string(name_of(dtype));
  }
  TwinOptions rows(int64_t width) const {
    return {.window = {.first = first, .row = first + width + row_gap}, .low = -4, .high = 4};
  }
};

std::vector<SwigluCase> swiglu_cases() {
  return in_f32_and_bf16<SwigluCase>({{.tokens = 0, .d_ff = 16},
                                      {.tokens = 1, .d_ff = 1},
                                      {.tokens = 7, .d_ff = 129},
                                      {.tokens = 129, .d_ff = 683, .first = 3, .row_gap = 5},
                                      {.tokens = 129, .d_ff = 256, .first = 16, .row_gap = 8},
                                      {.tokens = 1000, .d_ff = 100, .first = 8, .row_gap = 4},
                                      {.tokens = 65, .d_ff = 2816},
                                      {.tokens = 33, .d_ff = 8192}});
}

using SwigluTwin = TwinTestOver<SwigluCase>;

TEST_P(SwigluTwin, GatesRows) {
  const SwigluCase& c = GetParam();
  Twin twin(c.dtype);
  const auto gate_up = twin.input("gate_up", {c.tokens, 2 * c.d_ff}, c.rows(2 * c.d_ff));
  const auto out = twin.output("out", {c.tokens, c.d_ff}, c.rows(c.d_ff));
  twin.run([&](const Side& s) { kernels::swiglu({.out = s(out), .gate_up = s(gate_up)}, s.exec()); });
  twin.expect_close({.f32 = 2e-6, .bf16 = 4e-3});
}

TEST_P(SwigluTwin, FindsTheGradientsOfBothHalvesAlsoInPlace) {
  const SwigluCase& c = GetParam();
  for (const bool in_place : {false, true}) {
    Twin twin(c.dtype);
    const Shape wide{c.tokens, 2 * c.d_ff};
    const auto dout = twin.input("dout", {c.tokens, c.d_ff}, c.rows(c.d_ff));
    const auto gate_up =
        in_place ? twin.updated("gate_up", wide, c.rows(2 * c.d_ff)) : twin.input("gate_up", wide, c.rows(2 * c.d_ff));
    const auto dgate_up = in_place ? gate_up : twin.output("dgate_up", wide, c.rows(2 * c.d_ff));
    twin.run([&](const Side& s) {
      kernels::swiglu_backward({.dgate_up = s(dgate_up), .dout = s(dout), .gate_up = s(gate_up)}, s.exec());
    });
    twin.expect_close({.f32 = 3e-6, .bf16 = 4e-3});
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, SwigluTwin, testing::ValuesIn(swiglu_cases()), named);

TEST_F(TwinTest, SwigluStaysFiniteAtGatesFarFromZero) {
  Twin twin(DType::f32);
  const auto gate_up = twin.given("gate_up", {1, 8}, {-200, -90, 90, 200, 1, 1, 1, 1});
  const auto dout = twin.given("dout", {1, 4}, {1, 1, 1, 1});
  const auto out = twin.output("out", {1, 4}), dgate_up = twin.output("dgate_up", {1, 8});
  twin.run([&](const Side& s) {
    kernels::swiglu({.out = s(out), .gate_up = s(gate_up)}, s.exec());
    kernels::swiglu_backward({.dgate_up = s(dgate_up), .dout = s(dout), .gate_up = s(gate_up)}, s.exec());
  });
  twin.expect_close({.f32 = 2e-6});
}

struct RopeCase {
  int64_t sequences, length, heads, dim, pairs;
  int64_t first = 0;  // column of a wider row
  DType dtype = DType::f32;
  std::string name() const {
    std::string text;
    for (const int64_t size : {sequences, length, heads, dim, pairs, first}) text += std::to_string(size) + "_";
    return text + std::string(name_of(dtype));
  }
};

std::vector<RopeCase> rope_cases() {
  return in_f32_and_bf16<RopeCase>({
      {.sequences = 0, .length = 4, .heads = 2, .dim = 16, .pairs = 8},
      {.sequences = 1, .length = 1, .heads = 1, .dim = 2, .pairs = 1},
      {.sequences = 3, .length = 7, .heads = 1, .dim = 64, .pairs = 32},
      {.sequences = 2, .length = 129, .heads = 5, .dim = 64, .pairs = 32, .first = 8},
      {.sequences = 2, .length = 129, .heads = 4, .dim = 24, .pairs = 8, .first = 16},
      {.sequences = 1, .length = 1000, .heads = 3, .dim = 20, .pairs = 7, .first = 3},
      {.sequences = 2, .length = 100, .heads = 40, .dim = 128, .pairs = 64},
      {.sequences = 2, .length = 5, .heads = 9, .dim = 80, .pairs = 40},
      {.sequences = 2, .length = 5, .heads = 2, .dim = 16, .pairs = 0},
  });
}

using RopeTwin = TwinTestOver<RopeCase>;

TEST_P(RopeTwin, TurnsThereAndBack) {
  const RopeCase& c = GetParam();
  for (const bool inverse : {false, true}) {
    Twin twin(c.dtype);
    const int64_t width = c.heads * c.dim;
    const auto x = twin.updated("x", {c.sequences * c.length, c.heads, c.dim},
                                {.window = {.first = c.first, .row = c.first + width + (c.first % 8 == 0 ? 8 : 1)}});
    const Shape table{c.length + 2, c.pairs};
    const auto cos = twin.input("cos", table, {.holds = Holds::wide}),
               sin = twin.input("sin", table, {.holds = Holds::wide});
    twin.run([&](const Side& s) {
      kernels::rope({.x = s(x), .cos = s(cos), .sin = s(sin), .length = c.length, .inverse = inverse}, s.exec());
    });
    twin.expect_close({.f32 = 1e-6, .bf16 = 4e-3});
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, RopeTwin, testing::ValuesIn(rope_cases()), named);

}  // namespace
}  // namespace hyscale::tests
