#include "core/kernels/gated_rms_norm.h"
#include "tests/kernels/cuda/twin.h"

namespace hyscale::tests {
namespace {

struct GatedCase {
  int64_t tokens, channels, groups = 1;
  bool normed = true;
  Window y{}, z{};
  DType dtype = DType::bf16;
  std::string name() const {
    return std::string(name_of(dtype)) + "_" + std::to_string(tokens) + "x" + std::to_string(channels) + "_groups" +
           std::to_string(groups) + (normed ? "" : "_gate") + (y.row > 0 ? "_y" + std::to_string(y.first) : "") +
           (z.row > 0 ? "_z" + std::to_string(z.first) : "");
  }
};

// Widths of a group on both sides of every layout's limit; windows where 16-byte loads fit and where they do not.
std::vector<GatedCase> cases() {
  std::vector<GatedCase> all;
  for (const int64_t tokens : {1, 7, 129, 1000})
    for (const int64_t channels : {1, 33, 256}) all.push_back({.tokens = tokens, .channels = channels});
  for (const int64_t channels : {8, 128, 264, 512, 520, 1024, 2048, 2056, 4096, 4104, 8192, 8200, 8201})
    all.push_back({.tokens = 37, .channels = channels});
  for (const int64_t groups : {2, 3, 8}) {
    all.push_back({.tokens = 129, .channels = groups * 64, .groups = groups});
    all.push_back({.tokens = 129, .channels = groups * 17, .groups = groups});
    all.push_back({.tokens = 700, .channels = groups * 1024, .groups = groups});
  }
  for (const int64_t channels : {33, 64, 4096, 9000}) {
    all.push_back({.tokens = 65, .channels = channels, .normed = false});
    all.push_back({.tokens = 65, .channels = channels, .y = {8, channels + 24}, .z = {16, 2 * channels + 64}});
    all.push_back({.tokens = 65, .channels = channels, .y = {3, channels + 24}, .z = {0, 2 * channels + 7}});
  }
  all.push_back({.tokens = 3000, .channels = 1024});
  all.push_back({.tokens = 0, .channels = 64});
  return in_f32_and_bf16(all);
}

kernels::GatedRmsNormArgs args_of(const GatedCase& c, const Tensor& y, const Tensor& z, const Tensor& weight) {
  return {.y = y, .z = z, .weight = weight, .groups = c.groups, .epsilon = 1e-3};
}

struct Inputs {
  TwinTensor y, z, weight;
};
Inputs inputs_of(const GatedCase& c, Twin& twin) {
  Inputs in{.y = twin.input("y", {c.tokens, c.channels}, {.window = c.y, .low = -2, .high = 2}),
            .z = twin.input("z", {c.tokens, c.channels}, {.window = c.z, .low = -6, .high = 6}),
            .weight = {}};
  if (c.normed) in.weight = twin.input("weight", {c.channels}, {.holds = Holds::wide, .low = 0.5, .high = 1.5});
  return in;
}

using GatedRmsNormTwin = TwinTestOver<GatedCase>;

TEST_P(GatedRmsNormTwin, GatesAndNorms) {
  const GatedCase& c = GetParam();
  Twin twin(c.dtype);
  const Inputs in = inputs_of(c, twin);
  const auto out = twin.output("out", {c.tokens, c.channels}, {.window = c.y});
  const auto rstd = c.normed ? twin.output("rstd", {c.tokens, c.groups}, {.holds = Holds::wide}) : TwinTensor();
  twin.run([&](const Side& s) {
    kernels::gated_rms_norm(args_of(c, s(in.y), s(in.z), s(in.weight)), s(out), s(rstd), s.exec());
  });
  twin.expect_close(out, {.f32 = 1e-5, .bf16 = 4e-3});
  if (c.normed) twin.expect_close(rstd, {.f32 = 1e-5, .bf16 = 1e-5});
}

TEST_P(GatedRmsNormTwin, WritesOverItsInput) {
  const GatedCase& c = GetParam();
  Twin twin(c.dtype);
  const Inputs in = inputs_of(c, twin);
  const auto y = twin.updated("y in place", {c.tokens, c.channels}, {.window = c.y, .low = -2, .high = 2});
  const auto rstd = c.normed ? twin.output("rstd", {c.tokens, c.groups}, {.holds = Holds::wide}) : TwinTensor();
  twin.run([&](const Side& s) {
    kernels::gated_rms_norm(args_of(c, s(y), s(in.z), s(in.weight)), s(y), s(rstd), s.exec());
  });
  twin.expect_close({.f32 = 1e-5, .bf16 = 4e-3});
}

TEST_P(GatedRmsNormTwin, HandsGradientsBackInPlaceOfTheirSource) {
  const GatedCase& c = GetParam();
  Twin twin(c.dtype);
  const Inputs in = inputs_of(c, twin);
  const auto dy = twin.updated("dout, then dy", {c.tokens, c.channels}, {.window = c.y});
  const auto dz = twin.output("dz", {c.tokens, c.channels}, {.window = c.z});
  const TwinOptions positive{.holds = Holds::wide, .low = 0.3, .high = 1.5};
  const auto rstd = c.normed ? twin.input("rstd", {c.tokens, c.groups}, positive) : TwinTensor();
  const auto dweight = c.normed ? twin.updated("dweight", {c.channels}, {.holds = Holds::wide}) : TwinTensor();
  twin.run([&](const Side& s) {
    kernels::gated_rms_norm_backward(args_of(c, s(in.y), s(in.z), s(in.weight)), s(rstd), s(dy), s(dy), s(dz),
                                     s(dweight), s.exec());
  });
  twin.expect_close(dy, {.f32 = 1e-5, .bf16 = 4e-3});
  twin.expect_close(dz, {.f32 = 1e-5, .bf16 = 4e-3});
  if (c.normed) twin.expect_close(dweight, {.f32 = 1e-5, .bf16 = 1e-5});
}

INSTANTIATE_TEST_SUITE_P(Shapes, GatedRmsNormTwin, testing::ValuesIn(cases()), named);

}  // namespace
}  // namespace hyscale::tests
