#include <memory>
#include <vector>

#include "core/kernels/gemm.h"
#include "core/tensor/device_context.h"
#include "tests/kernels/cuda/twin.h"

namespace hyscale::tests {
namespace {

struct GemmCase {
  int64_t m, n, k;
  bool transpose_a = false, transpose_b = false, accumulate = false;
  Holds out = Holds::activations;  // wide: what gradients of parameters are summed in
  bool windows = false;            // a, b and out lie in wider rows, at odd columns
  DType dtype = DType::bf16;
  std::string name() const {
    return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) + (transpose_a ? "_ta" : "") +
           (transpose_b ? "_tb" : "") + (accumulate ? "_added" : "") + (out == Holds::wide ? "_wide" : "") +
           (windows ? "_windows_" : "_") + std::string(name_of(dtype));
  }
};

std::vector<GemmCase> cases() {
  std::vector<GemmCase> all;
  constexpr struct {
    int64_t m, n, k;
  } kShapes[] = {{1, 1, 1}, {7, 5, 3}, {129, 65, 33}, {1000, 2, 96}, {1, 1000, 64}, {256, 384, 512}, {129, 1, 1000}};
  for (const auto& [m, n, k] : kShapes)
    for (const bool windows : {false, true}) {
      all.push_back({.m = m, .n = n, .k = k, .transpose_b = true, .windows = windows});
      all.push_back({.m = m, .n = n, .k = k, .windows = windows});
      all.push_back({.m = m, .n = n, .k = k, .transpose_a = true, .transpose_b = true, .windows = windows});
      all.push_back({.m = m, .n = n, .k = k, .accumulate = true, .windows = windows});
      all.push_back(
          {.m = m, .n = n, .k = k, .transpose_a = true, .accumulate = true, .out = Holds::wide, .windows = windows});
    }
  for (const bool accumulate : {false, true}) {
    all.push_back({.m = 5, .n = 7, .k = 0, .accumulate = accumulate, .windows = true});
    all.push_back({.m = 0, .n = 7, .k = 3, .accumulate = accumulate});
    all.push_back({.m = 5, .n = 0, .k = 3, .accumulate = accumulate});
  }
  return all;
}

using GemmTwin = TwinTestOver<GemmCase>;

TEST_P(GemmTwin, MultipliesAsTheCpuDoes) {
  const GemmCase& c = GetParam();
  Twin twin(c.dtype);
  const auto matrix = [&](int64_t rows, int64_t columns, bool transposed) {
    return transposed ? Shape{columns, rows} : Shape{rows, columns};
  };
  const Shape a_shape = matrix(c.m, c.k, c.transpose_a), b_shape = matrix(c.k, c.n, c.transpose_b);
  const auto window = [&](int64_t first, const Shape& shape) {
    return c.windows ? Window{.first = first, .row = shape[1] + first + 5} : Window{};
  };
  const auto a = twin.input("a", a_shape, {.window = window(3, a_shape)});
  const auto b = twin.input("b", b_shape, {.window = window(8, b_shape)});
  const TwinOptions out_options{.holds = c.out, .window = window(1, {c.m, c.n})};
  const auto out =
      c.accumulate ? twin.updated("out", {c.m, c.n}, out_options) : twin.output("out", {c.m, c.n}, out_options);
  twin.run([&](const Side& s) {
    kernels::gemm({.out = s(out),
                   .a = s(a),
                   .b = s(b),
                   .transpose_a = c.transpose_a,
                   .transpose_b = c.transpose_b,
                   .accumulate = c.accumulate,
                   .alpha = -0.75},
                  s.exec());
  });
  // products of bf16 are exact in f32, but tensor cores cut off what they add
  twin.expect_close({.f32 = 2e-6, .bf16 = c.out == Holds::wide ? 1e-5 : 4e-3});
}

INSTANTIATE_TEST_SUITE_P(Shapes, GemmTwin, testing::ValuesIn(in_f32_and_bf16(cases())), named);

using GemmTwinTest = TwinTest;

TEST_F(GemmTwinTest, MultipliesEachEntryOfABatch) {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const bool accumulate : {false, true}) {
      Twin twin(dtype);
      const auto a = twin.input("a", {3, 17, 40});
      const auto b = twin.input("b", {3, 24, 40}, {.window = {.first = 2, .row = 2 + 24 * 40 + 6}});
      const auto out = accumulate ? twin.updated("out", {3, 17, 24}) : twin.output("out", {3, 17, 24});
      twin.run([&](const Side& s) {
        kernels::gemm({.out = s(out), .a = s(a), .b = s(b), .transpose_b = true, .accumulate = accumulate}, s.exec());
      });
      twin.expect_close({.f32 = 2e-6, .bf16 = 4e-3});
    }
}

// Timing must not touch what is added to.
TEST_F(GemmTwinTest, GivesTheSameWhenTheAlgorithmIsTimed) {
  const std::unique_ptr<DeviceContext> context = open_cuda({.deterministic = false});
  Arena arena(context->memory());
  const Exec exec{.device = Device::cuda, .arena = &arena, .context = context.get()};
  const int64_t size = 256;
  const std::vector<float> ones(static_cast<size_t>(size * size), 1.0f);
  const Tensor a = arena.tensor(DType::f32, {size, size}), out = arena.tensor(DType::f32, {size, size});
  context->upload(a, ones.data());
  context->upload(out, ones.data());
  for (int i = 0; i < 2; ++i) kernels::gemm({.out = out, .a = a, .b = a, .accumulate = true}, exec);
  std::vector<float> found(ones.size());
  context->download(found.data(), out);
  EXPECT_EQ(found, std::vector<float>(ones.size(), 1.0f + 2.0f * static_cast<float>(size)));
}

}  // namespace
}  // namespace hyscale::tests
