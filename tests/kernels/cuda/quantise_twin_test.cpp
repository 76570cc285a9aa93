#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "core/kernels/gemm.h"
#include "core/kernels/quantise.h"
#include "core/tensor/device_context.h"
#include "core/tensor/float8.h"
#include "tests/kernels/cuda/twin.h"

namespace hyscale::tests {
namespace {

/// Eight bits are compared bit by bit, so these tests move their bytes themselves.
class QuantiseTwin : public TwinTest {
 protected:
  void SetUp() override {
    TwinTest::SetUp();
    if (IsSkipped()) return;
    gpu_ = open_cuda({});
    arena_.emplace(gpu_->memory());
  }
  Exec exec() { return {.device = Device::cuda, .arena = &*arena_, .context = gpu_.get()}; }

  /// Normal values times `size`; the CPU's.
  static OwnedTensor normal(int64_t rows, int64_t columns, double size, uint64_t seed) {
    OwnedTensor x(DType::bf16, {rows, columns});
    std::mt19937_64 generator(seed);
    std::normal_distribution<double> draw(0, size);
    for (int64_t i = 0; i < rows * columns; ++i)
      x.tensor().as<bf16>()[i] = to_bf16(static_cast<float>(draw(generator)));
    return x;
  }

  struct Quantised {
    OwnedTensor plain, turned, unscale;
  };
  Quantised quantise(const Tensor& x, DType dtype, const Exec& on) {
    MemorySource& memory = on.device == Device::cuda ? gpu_->memory() : host_memory();
    Quantised q{.plain = {dtype, {x.extent(0), x.extent(1)}, memory},
                .turned = {dtype, {x.extent(1), x.extent(0)}, memory},
                .unscale = {DType::f32, {1}, memory}};
    kernels::quantise({.out = q.plain, .turned = q.turned, .unscale = q.unscale, .x = x}, on);
    return q;
  }
  template <class T>
  std::vector<T> host(const Tensor& t) {
    std::vector<T> values(static_cast<size_t>(t.numel()));
    gpu_->download(values.data(), t);
    return values;
  }
  template <class T>
  static std::vector<T> values(const Tensor& t) {
    const auto* const begin = static_cast<const T*>(t.data());
    return {begin, begin + t.numel()};
  }

  void expect_the_same(const OwnedTensor& x) {
    const OwnedTensor there = copy(x);
    for (const DType dtype : {DType::e4m3, DType::e5m2}) {
      const Quantised cpu = quantise(x, dtype, {}), gpu = quantise(there, dtype, exec());
      EXPECT_EQ(host<float>(gpu.unscale), values<float>(cpu.unscale)) << name_of(dtype);
      EXPECT_TRUE(host<uint8_t>(gpu.plain) == values<uint8_t>(cpu.plain)) << name_of(dtype);
      EXPECT_TRUE(host<uint8_t>(gpu.turned) == values<uint8_t>(cpu.turned)) << name_of(dtype);
    }
  }
  OwnedTensor copy(const OwnedTensor& x) {
    OwnedTensor there(x.tensor().dtype(), {x.tensor().extent(0), x.tensor().extent(1)}, gpu_->memory());
    gpu_->upload(there, x.tensor().data());
    return there;
  }

  std::unique_ptr<DeviceContext> gpu_;
  std::optional<Arena> arena_;
};

TEST_F(QuantiseTwin, GivesTheCpusBits) {
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{16, 16}, {48, 2064}, {272, 144}, {1024, 4096}})
    for (const double size : {1e-9, 0.02, 1.0, 3e5}) {
      SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(columns) + ", " + std::to_string(size));
      expect_the_same(normal(rows, columns, size, 7));
    }
}

TEST_F(QuantiseTwin, TakesTheLargestValueWhereverItLies) {
  for (const int64_t at : {0, 15, 4095, 65535}) {
    OwnedTensor x = normal(16, 4096, 1, 3);
    x.tensor().as<bf16>()[at] = to_bf16(at % 2 == 0 ? 449.0F * 64 : -1.75F * 4096);
    expect_the_same(x);
  }
}

TEST_F(QuantiseTwin, RoundsZerosToZeros) { expect_the_same(OwnedTensor(DType::bf16, {32, 32})); }

TEST_F(QuantiseTwin, SaysWhereAValueIsNotFinite) {
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    OwnedTensor x = normal(64, 64, 1, 5);
    x.tensor().as<bf16>()[4000] = to_bf16(bad);
    EXPECT_TRUE(std::isnan(*quantise(x, DType::e4m3, {}).unscale.tensor().as<float>()));
    EXPECT_TRUE(std::isnan(host<float>(quantise(copy(x), DType::e4m3, exec()).unscale)[0])) << bad;
  }
}

// What the eight bits stand for, multiplied in double.
double product(const std::vector<uint8_t>& a, DType a_type, const std::vector<uint8_t>& b, DType b_type, int64_t i,
               int64_t j, int64_t k) {
  double sum = 0;
  for (int64_t l = 0; l < k; ++l)
    sum += static_cast<double>(from_float8(a_type, a[static_cast<size_t>(i * k + l)])) *
           static_cast<double>(from_float8(b_type, b[static_cast<size_t>(j * k + l)]));
  return sum;
}

TEST_F(QuantiseTwin, ItsProductsAreThoseOfWhatWasRounded) {
  const int64_t m = 64, n = 48, k = 416;
  for (const DType a_type : {DType::e4m3, DType::e5m2})
    for (const bool accumulate : {false, true}) {
      const Quantised a = quantise(copy(normal(m, k, 3e-4, 1)), a_type, exec()),
                      b = quantise(copy(normal(n, k, 20, 2)), DType::e4m3, exec());
      OwnedTensor out(DType::f32, {m, n}, gpu_->memory());
      const std::vector<float> before(static_cast<size_t>(m * n), 0.25F);
      gpu_->upload(out, before.data());
      kernels::gemm({.out = out,
                     .a = a.plain,
                     .b = b.plain,
                     .transpose_b = true,
                     .accumulate = accumulate,
                     .alpha = -1,
                     .unscale_a = a.unscale,
                     .unscale_b = b.unscale},
                    exec());
      const std::vector<float> got = host<float>(out);
      const std::vector<uint8_t> left = host<uint8_t>(a.plain), right = host<uint8_t>(b.plain);
      const double factor =
          -static_cast<double>(host<float>(a.unscale)[0]) * static_cast<double>(host<float>(b.unscale)[0]);
      double error = 0, norm = 0;
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
          const double want = factor * product(left, a_type, right, DType::e4m3, i, j, k) + (accumulate ? 0.25 : 0.0);
          const double off = static_cast<double>(got[static_cast<size_t>(i * n + j)]) - want;
          error += off * off, norm += want * want;
        }
      EXPECT_LE(std::sqrt(error / norm), 2e-3) << name_of(a_type);  // tensor cores keep 14 bits of such sums
    }
}

}  // namespace
}  // namespace hyscale::tests
