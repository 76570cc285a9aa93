#include "core/kernels/causal_conv.h"
#include "tests/kernels/cuda/twin.h"

namespace hyscale::tests {
namespace {

struct ConvCase {
  int64_t sequences, length, channels, width = 4;
  int64_t document = 0;  // documents begin about so far apart; 0: one a sequence
  Window u{}, out{};
  DType dtype = DType::bf16;
  std::string name() const {
    return std::string(name_of(dtype)) + "_" + std::to_string(sequences) + "x" + std::to_string(length) + "x" +
           std::to_string(channels) + "_width" + std::to_string(width) +
           (document > 0 ? "_documents" + std::to_string(document) : "") +
           (u.row > 0 ? "_u" + std::to_string(u.first) + "of" + std::to_string(u.row) : "");
  }
};

// Lengths shorter than the taps, and on both sides of a tile of time and of a block of tiles.
std::vector<ConvCase> cases() {
  std::vector<ConvCase> all;
  for (const int64_t length : {1, 2, 3, 7, 16, 17, 63, 65, 129, 1000})
    for (const int64_t channels : {1, 8, 132}) all.push_back({.sequences = 3, .length = length, .channels = channels});
  for (const int64_t width : {1, 2, 3, 5, 7, 8})
    for (const int64_t channels : {9, 64}) {
      all.push_back({.sequences = 2, .length = 5, .channels = channels, .width = width});
      all.push_back({.sequences = 2, .length = 77, .channels = channels, .width = width});
      all.push_back({.sequences = 2, .length = 150, .channels = channels, .width = width, .document = 4});
    }
  for (const int64_t document : {1, 3, 40})
    for (const int64_t channels : {31, 40})
      all.push_back({.sequences = 2, .length = 301, .channels = channels, .document = document});
  for (const Window u : {Window{8, 200}, Window{4, 148}, Window{3, 200}, Window{8, 147}})
    all.push_back({.sequences = 2, .length = 100, .channels = 136, .u = u, .out = {4, 152}});
  all.push_back({.sequences = 2, .length = 4500, .channels = 2304, .u = {2048, 4416}});  // long tiles
  all.push_back({.sequences = 2, .length = 0, .channels = 8});
  return in_f32_and_bf16(all);
}

/// Document begins, their lengths 1 … 2 · document - 1 in turn, other ones in each sequence.
std::vector<int32_t> begins_of(const ConvCase& c) {
  std::vector<int32_t> begins;
  int64_t count = 1;
  for (int64_t sequence = 0; sequence < c.sequences; ++sequence)
    for (int64_t t = 0, begin = 0; t < c.length; ++t) {
      if (t - begin >= count) begin = t, count = count % (2 * c.document - 1) + 1;
      begins.push_back(static_cast<int32_t>(begin));
    }
  return begins;
}

struct Inputs {
  TwinTensor u, weight, bias, begins;

  Inputs(const ConvCase& c, Twin& twin)
      : u(twin.input("u", {c.sequences * c.length, c.channels}, {.window = c.u, .low = -2, .high = 2})),
        weight(twin.input("weight", {c.channels, c.width}, {.window = {0, 8}})),
        bias(twin.input("bias", {c.channels}, {.holds = Holds::wide})) {
    if (c.document > 0) begins = twin.integers("begins", {c.sequences, c.length}, begins_of(c));
  }
  kernels::CausalConvArgs on(const Side& s, const ConvCase& c) const {
    return {.sequences = c.sequences, .u = s(u), .weight = s(weight), .bias = s(bias), .document_begins = s(begins)};
  }
};

using CausalConvTwin = TwinTestOver<ConvCase>;

TEST_P(CausalConvTwin, LooksBackInsideItsDocument) {
  const ConvCase& c = GetParam();
  Twin twin(c.dtype);
  const Inputs in(c, twin);
  const auto out = twin.output("out", {c.sequences * c.length, c.channels}, {.window = c.out});
  twin.run([&](const Side& s) { kernels::causal_conv_silu(in.on(s, c), s(out), s.exec()); });
  twin.expect_close({.f32 = 1e-5, .bf16 = 4e-3});
}

TEST_P(CausalConvTwin, HandsGradientsBackInsideItsDocument) {
  const ConvCase& c = GetParam();
  Twin twin(c.dtype);
  const Inputs in(c, twin);
  const auto dout = twin.input("dout", {c.sequences * c.length, c.channels}, {.window = c.out});
  const auto du = twin.output("du", {c.sequences * c.length, c.channels}, {.window = c.u});
  const auto dweight = twin.updated("dweight", {c.channels, c.width}, {.holds = Holds::wide});
  const auto dbias = twin.updated("dbias", {c.channels}, {.holds = Holds::wide});
  twin.run([&](const Side& s) {
    kernels::causal_conv_silu_backward(in.on(s, c), s(dout), s(du), s(dweight), s(dbias), s.exec());
  });
  twin.expect_close(du, {.f32 = 1e-5, .bf16 = 4e-3});
  twin.expect_close(dweight, {.f32 = 1e-5, .bf16 = 1e-5});
  twin.expect_close(dbias, {.f32 = 1e-5, .bf16 = 1e-5});
}

INSTANTIATE_TEST_SUITE_P(Shapes, CausalConvTwin, testing::ValuesIn(cases()), named);

}  // namespace
}  // namespace hyscale::tests
