#include <algorithm>
#include <cmath>
#include <random>

#include "core/kernels/ssd.h"
#include "tests/kernels/cuda/twin.h"

namespace hyscale::tests {
namespace {

using kernels::SsdGradients;
using kernels::SsdInputs;
using kernels::SsdSaved;
using kernels::SsdShape;

/// How far a state remembers.
enum class Memory {
  usual,  // dt up to 1, A about -1
  spiky,  // few tokens with dt 20 among small ones
  long_,  // A about -0.01: states grow over many chunks
  none,   // every decay vanishes
  every,  // dt next to 0
};

struct SsdCase {
  std::string what;
  SsdShape shape;
  Memory memory = Memory::usual;
  std::vector<int64_t> starts = {};  // of documents, in the first sequence; mirrored in the others
  bool states = false;               // one comes in, one goes out
  int64_t before = 8, pad = 8;       // columns before and behind the windows that the tensors are
  int64_t spare = 0;                 // columns of ddt_raw behind the heads
  DType dtype = DType::f32;
  std::string name() const { return what + "_" + std::string(name_of(dtype)); }
};

std::vector<int32_t> begins_of(const SsdCase& c) {
  std::vector<int32_t> begins;
  for (int64_t s = 0; s < c.shape.sequences; ++s)
    for (int64_t t = 0, begin = 0; t < c.shape.length; ++t) {
      for (const int64_t start : c.starts)
        if (t > 0 && t == (s == 0 ? start : c.shape.length - start)) begin = t;
      begins.push_back(static_cast<int32_t>(begin));
    }
  return begins;
}

std::vector<double> dt_raw_of(const SsdCase& c) {
  std::mt19937_64 generator(11);
  const auto uniform = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(generator() >> 11) * 0x1p-53;
  };
  std::vector<double> values(static_cast<size_t>(c.shape.tokens() * c.shape.heads));
  for (double& v : values) switch (c.memory) {
      case Memory::usual:
        v = uniform(-2, 0.5);
        break;
      case Memory::spiky:
        v = uniform(0, 1) < 0.03 ? 20 : uniform(-6, -2);
        break;
      case Memory::long_:
        v = uniform(-5, -2);
        break;
      case Memory::none:
        v = uniform(5, 20);
        break;
      case Memory::every:
        v = uniform(-16, -12);
        break;
    }
  return values;
}

/// What the scan and its gradients are given and give.
struct Scan {
  Twin twin;
  SsdShape shape;
  TwinTensor x, b, c, dt_raw, dt_bias, a_log, d, initial, begins, dy;
  TwinTensor y, final_state, dx, db, dc, ddt_raw, ddt_bias, da_log, dd;

  explicit Scan(const SsdCase& of) : twin(of.dtype), shape(of.shape) {
    const int64_t tokens = shape.tokens(), inner = shape.heads * shape.head_dim, groups = shape.groups * shape.d_state;
    const auto window = [&](int64_t width) {
      return TwinOptions{.window = {.first = of.before, .row = of.before + width + of.pad}};
    };
    const TwinOptions wide{.holds = Holds::wide};
    x = twin.input("x", {tokens, inner}, window(inner));
    b = twin.input("b", {tokens, groups}, window(groups));
    c = twin.input("c", {tokens, groups}, window(groups));
    dt_raw =
        twin.given("dt_raw", {tokens, shape.heads}, dt_raw_of(of), {.window = {.first = 5, .row = shape.heads + 6}});
    dt_bias = twin.input("dt_bias", {shape.heads}, wide);
    const bool remembers = of.memory == Memory::long_;
    a_log = twin.input("a_log", {shape.heads},
                       {.holds = Holds::wide, .low = remembers ? -6.0 : -1.0, .high = remembers ? -3.0 : 1.5});
    d = twin.input("d", {shape.heads}, wide);
    dy = twin.input("dy", {tokens, inner}, window(inner));
    y = twin.output("y", {tokens, inner}, window(inner));
    const Shape state{shape.sequences, shape.heads, shape.d_state, shape.head_dim};
    if (of.states) initial = twin.input("initial_state", state, wide);
    if (of.states) final_state = twin.output("final_state", state, wide);
    if (!of.starts.empty()) begins = twin.integers("begins", {shape.sequences, shape.length}, begins_of(of));
    dx = twin.output("dx", {tokens, inner}, window(inner));
    db = twin.output("db", {tokens, groups}, window(groups));
    dc = twin.output("dc", {tokens, groups}, window(groups));
    const int64_t columns = shape.heads + of.spare;
    ddt_raw = twin.output("ddt_raw", {tokens, columns}, {.window = {.first = 3, .row = columns + 3}});
    ddt_bias = twin.updated("ddt_bias", {shape.heads}, wide);
    da_log = twin.updated("da_log", {shape.heads}, wide);
    dd = twin.updated("dd", {shape.heads}, wide);
  }

  SsdSaved forward(const Side& s) const { return ssd_forward(shape, inputs(s), s(y), s(final_state), s.exec()); }
  void backward(const Side& s, const SsdSaved& saved) const {
    const SsdGradients gradients{s(dx), s(db), s(dc), s(ddt_raw), s(ddt_bias), s(da_log), s(dd)};
    ssd_backward(shape, inputs(s), saved, s(dy), gradients, s.exec());
  }
  SsdInputs inputs(const Side& s) const {
    return {s(x), s(b), s(c), s(dt_raw), s(dt_bias), s(a_log), s(d), s(initial), s(begins)};
  }
};

std::vector<SsdCase> cases() {
  const auto shape = [](int64_t sequences, int64_t length, int64_t heads, int64_t head_dim, int64_t groups,
                        int64_t d_state) { return SsdShape{sequences, length, heads, head_dim, groups, d_state, 128}; };
  std::vector<SsdCase> all{
      {.what = "one_token", .shape = shape(3, 1, 1, 64, 1, 128)},
      {.what = "one_token_with_a_state", .shape = shape(2, 1, 3, 64, 1, 64), .states = true},
      {.what = "seven_tokens", .shape = shape(2, 7, 8, 128, 2, 64), .states = true},
      {.what = "sixteen_and_one", .shape = shape(1, 17, 1, 64, 1, 64)},
      {.what = "a_chunk", .shape = shape(1, 128, 2, 128, 1, 128)},
      {.what = "a_chunk_and_one", .shape = shape(2, 129, 3, 64, 1, 128), .states = true, .spare = 5},
      {.what = "thousand", .shape = shape(1, 1000, 8, 64, 1, 128)},
      {.what = "thousand_wide", .shape = shape(1, 1000, 3, 128, 1, 128), .states = true},
      {.what = "groups", .shape = shape(2, 300, 6, 64, 3, 64), .states = true},
      {.what = "each_head_a_group", .shape = shape(1, 200, 3, 128, 3, 64)},
      {.what = "narrow_heads_and_states", .shape = shape(1, 260, 4, 32, 2, 16), .states = true},
      {.what = "odd_multiples_of_eight", .shape = shape(1, 150, 2, 72, 1, 40), .states = true},
      {.what = "other_sizes", .shape = shape(2, 131, 2, 13, 1, 9), .states = true},
      {.what = "large_state", .shape = shape(1, 70, 2, 16, 1, 256)},
      {.what = "unaligned_rows", .shape = shape(1, 140, 2, 64, 1, 64), .before = 3, .pad = 2},
      {.what = "many_heads", .shape = shape(1, 40, 70, 64, 1, 64)},
      // so many chunks that a block of threads takes several heads
      {.what = "heads_in_turn", .shape = shape(66, 130, 4, 64, 1, 64), .states = true},
      {.what = "wide_heads_in_turn", .shape = shape(66, 130, 3, 128, 1, 128)},
      {.what = "spiky", .shape = shape(1, 600, 4, 64, 1, 128), .memory = Memory::spiky},
      {.what = "spiky_wide", .shape = shape(2, 300, 2, 128, 1, 128), .memory = Memory::spiky},
      {.what = "long_memory", .shape = shape(1, 1000, 4, 64, 1, 64), .memory = Memory::long_, .states = true},
      {.what = "no_memory", .shape = shape(1, 200, 3, 64, 1, 64), .memory = Memory::none, .states = true},
      {.what = "no_forgetting", .shape = shape(1, 200, 3, 64, 1, 64), .memory = Memory::every, .states = true},
  };
  const std::vector<std::vector<int64_t>> starts{{1}, {15, 16, 17}, {127, 128, 129}, {48, 64, 65, 66, 200, 257}, {299}};
  for (size_t i = 0; i < starts.size(); ++i)
    all.push_back({.what = "documents_" + std::to_string(i),
                   .shape = shape(2, 300, 3, i % 2 == 0 ? 64 : 128, 1, i % 2 == 0 ? 128 : 64),
                   .memory = i == 3 ? Memory::spiky : Memory::usual,
                   .starts = starts[i],
                   .states = i != 1});
  return all;
}

using SsdTwin = TwinTestOver<SsdCase>;

TEST_P(SsdTwin, ScansAndGivesTheGradients) {
  Scan scan(GetParam());
  scan.twin.run([&](const Side& s) { scan.backward(s, scan.forward(s)); });
  for (const TwinTensor& one : {scan.y, scan.dx}) scan.twin.expect_close(one, {.f32 = 3e-6, .bf16 = 4e-3});
  for (const TwinTensor& one : {scan.db, scan.dc}) scan.twin.expect_close(one, {.f32 = 3e-6, .bf16 = 5e-3});
  scan.twin.expect_close(scan.ddt_raw, {.f32 = 1e-5, .bf16 = 5e-3});
  for (const TwinTensor& one : {scan.da_log, scan.ddt_bias, scan.dd})
    scan.twin.expect_close(one, {.f32 = 1e-5, .bf16 = 6e-3});
  if (scan.final_state.index != TwinTensor{}.index)
    scan.twin.expect_close(scan.final_state, {.f32 = 1e-5, .bf16 = 3e-3});
}

INSTANTIATE_TEST_SUITE_P(Shapes, SsdTwin, testing::ValuesIn(in_f32_and_bf16(cases())), named);

class SsdOnGpu : public TwinTest {};

TEST_F(SsdOnGpu, DoesNothingWithoutTokens) {
  Scan scan({.what = "none", .shape = {0, 5, 2, 64, 1, 64, 128}, .dtype = DType::bf16});
  scan.twin.run([&](const Side& s) { scan.backward(s, scan.forward(s)); });
  scan.twin.expect_close({.bf16 = 0});
}

}  // namespace
}  // namespace hyscale::tests
