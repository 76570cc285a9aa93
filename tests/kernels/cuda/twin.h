#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::tests {

/// What a tensor of a twin test holds, on the GPU | on the CPU. `dtype` is the case's: bf16 or f32.
enum class Holds {
  activations,  // dtype | f64
  wide,         // f32 | f64: statistics, factors, gradients of parameters, parameters that are no matrix
  f32,          // f32 | f32
  f64,          // f64 | f64
};

/// Columns first … first + width - 1 of rows of `row` entries, where width is the product of all extents but the first.
/// row 0: no gaps.
struct Window {
  int64_t first = 0;
  int64_t row = 0;
};

struct TwinOptions {
  Holds holds = Holds::activations;
  Window window = {};
  double low = -1, high = 1;  // of random values
};

/// Names one tensor of a Twin; the default one stands for an empty tensor.
struct TwinTensor {
  size_t index = SIZE_MAX;
};

class Twin;

/// One of the two sides that a test's lambda runs on.
class Side {
 public:
  Side(const Twin& twin, Exec exec) : twin_(twin), exec_(exec) {}
  Tensor operator()(TwinTensor tensor) const;
  const Exec& exec() const { return exec_; }
  DType dtype() const;  // of activations

 private:
  const Twin& twin_;
  Exec exec_;
};

/// Largest relative l2 distance ‖gpu - cpu‖ / ‖cpu‖ of an output, by the case's dtype. Besides, no entry may be off by
/// more than `worst` times that, relative to its own size plus the root mean square of the tensor: one wrong entry
/// among many does not show in a sum.
struct Tolerances {
  double f32 = 1e-6;
  double bf16 = 5e-3;
  double worst = 30;
};

/// Runs one lambda on the CPU in f64 and on the GPU, on the same random values (rounded as the GPU holds them), and
/// compares:
///
///     Twin twin(DType::bf16);
///     const auto x = twin.input("x", {tokens, channels}, {.window = {.first = 3, .row = 96}});
///     const auto out = twin.output("out", {tokens, channels});
///     twin.run([&](const Side& s) { kernels::silu({.out = s(out), .x = s(x)}, s.exec()); });
///     twin.expect_close({.f32 = 1e-6, .bf16 = 4e-3});
///
/// Each GPU tensor lies between guards (before it, after it, in the gaps between its rows), and the GPU's scratch
/// memory is full of NaN before each run, as outputs and guards are. `run` fails the test when the GPU changed a guard
/// or an input, or when doing it again, or recording and replaying it, gives other bits. What fails prints the command
/// that runs the case again. Random values depend on HYSCALE_TWIN_SEED (default 1).
class Twin {
 public:
  explicit Twin(DType dtype);
  ~Twin();
  Twin(const Twin&) = delete;
  Twin& operator=(const Twin&) = delete;

  /// Random values; must not change.
  TwinTensor input(const std::string& name, const Shape& shape, const TwinOptions& options = {});
  /// The same with values of the caller's, in row-major order; throws ShapeError when their number is another.
  TwinTensor given(const std::string& name, const Shape& shape, const std::vector<double>& values,
                   const TwinOptions& options = {});
  /// i32 in [0, below); or the caller's.
  TwinTensor integers(const std::string& name, const Shape& shape, int32_t below);
  TwinTensor integers(const std::string& name, const Shape& shape, const std::vector<int32_t>& values);
  /// NaN before the run; all of it must be written.
  TwinTensor output(const std::string& name, const Shape& shape, const TwinOptions& options = {});
  /// Random values before the run, compared after it: what is added to, or changed in place.
  TwinTensor updated(const std::string& name, const Shape& shape, const TwinOptions& options = {});

  void run(const std::function<void(const Side&)>& work);
  /// All outputs and updated tensors, or one of them.
  void expect_close(const Tolerances& tolerances) const;
  void expect_close(TwinTensor tensor, const Tolerances& tolerances) const;

  /// Row-major, after a run; for what no tolerance can say.
  std::vector<double> gpu_values(TwinTensor tensor) const;
  std::vector<double> cpu_values(TwinTensor tensor) const;

  DType dtype() const { return dtype_; }

 private:
  friend class Side;
  enum class Role { input, output, updated };
  struct Entry;

  TwinTensor add(Role role, const std::string& name, DType gpu, DType cpu, const Shape& shape,
                 const TwinOptions& options, std::vector<double> values);
  TwinTensor add(Role role, const std::string& name, const Shape& shape, const TwinOptions& options,
                 std::vector<double> values);
  std::vector<double> random(const Shape& shape, double low, double high);
  void upload();
  void download();
  bool run_on_gpu(const char* how, bool recorded, const std::function<void(const Side&)>& work);
  void check_guards() const;
  void fail(const std::string& what) const;

  DType dtype_;
  uint64_t seed_;
  std::vector<std::unique_ptr<Entry>> entries_;
  bool ran_ = false;
};

/// Skips, and says so, where no GPU is.
class TwinTest : public testing::Test {
 protected:
  void SetUp() override;
};

/// For TEST_P over a struct with `std::string name() const`, letters, digits and _ only:
///
///     INSTANTIATE_TEST_SUITE_P(Shapes, RmsNormTwin, testing::ValuesIn(cases()), named);
template <class Case>
class TwinTestOver : public TwinTest, public testing::WithParamInterface<Case> {};
inline constexpr auto named = [](const auto& info) { return info.param.name(); };

/// Each case (a struct with a `dtype`) in both dtypes of activations.
template <class Case>
std::vector<Case> in_f32_and_bf16(const std::vector<Case>& cases) {
  std::vector<Case> all;
  for (Case c : cases)
    for (const DType dtype : {DType::f32, DType::bf16}) c.dtype = dtype, all.push_back(c);
  return all;
}

/// Gives the GPU back; after the last test.
void close_gpu();

}  // namespace hyscale::tests
