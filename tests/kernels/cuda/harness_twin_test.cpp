#include <cuda_runtime_api.h>
#include <gtest/gtest-spi.h>

#include "core/kernels/scale_rows.h"
#include "core/tensor/cuda/cuda_context.h"
#include "tests/kernels/cuda/twin.h"

// That the harness sees what a kernel can do wrong.
namespace hyscale::tests {
namespace {

class TwinHarness : public TwinTest {
 protected:
  /// Copies x to out on both sides; then `wrong` happens on the GPU.
  void run(const std::function<void(const Side&)>& wrong) {
    twin.run([&](const Side& s) {
      kernels::scale_rows({.out = s(out), .x = s(x), .factor = {}}, s.exec());
      if (s.exec().device == Device::cuda) wrong(s);
    });
  }
  static void overwrite(const Side& s, const Tensor& tensor, int64_t first_byte, size_t count) {
    check_cuda(
        cudaMemsetAsync(static_cast<std::byte*>(tensor.data()) + first_byte, 0, count, cuda_context(s.exec()).stream()),
        "overwriting");
  }
  Twin twin{DType::f32};
  TwinTensor x, out;
  void SetUp() override {
    TwinTest::SetUp();
    if (IsSkipped()) return;
    x = twin.input("x", {5, 6}, {.window = {.first = 3, .row = 12}});
    out = twin.output("out", {5, 6}, {.window = {.first = 1, .row = 8}});
  }
};

TEST_F(TwinHarness, PassesWhatIsRight) {
  run([](const Side&) {});
  twin.expect_close({.f32 = 0});
}

TEST_F(TwinHarness, SeesOneWrongEntry) {
  run([&](const Side& s) { overwrite(s, s(out), (2 * 8 + 3) * 4, 4); });
  EXPECT_NONFATAL_FAILURE(twin.expect_close({.f32 = 1e-6}), "at [2, 3]: GPU 0, CPU");
}

TEST_F(TwinHarness, SeesAnEntryThatNobodyWrote) {
  const auto unwritten = twin.output("unwritten", {3});
  run([](const Side&) {});
  EXPECT_NONFATAL_FAILURE(twin.expect_close(unwritten, {.f32 = 1e30}), "unwritten");
}

TEST_F(TwinHarness, SeesAWriteBetweenRows) {
  EXPECT_NONFATAL_FAILURE(run([&](const Side& s) { overwrite(s, s(out), 6 * 4, 1); }),
                          "memory around it was written, at row 0, column 6");
}

TEST_F(TwinHarness, SeesAWriteBeforeTheFirstRow) {
  EXPECT_NONFATAL_FAILURE(run([&](const Side& s) { overwrite(s, s(out), -4, 4); }), "at row 0, column -1");
}

TEST_F(TwinHarness, SeesAChangedInput) {
  EXPECT_NONFATAL_FAILURE(run([&](const Side& s) { overwrite(s, s(x), 0, 4); }), "x: this input");
}

TEST_F(TwinHarness, SeesOtherBitsTheSecondTimeAndInARecording) {
  for (const int which : {2, 3}) {
    int calls = 0;
    EXPECT_NONFATAL_FAILURE(run([&](const Side& s) {
                              if (++calls == which) overwrite(s, s(out), 0, 4);
                            }),
                            which == 2 ? "other bits when done again" : "other bits when recorded and replayed");
  }
}

TEST_F(TwinHarness, SeesAnExceptionAndPrintsHowToRunTheCaseAgain) {
  EXPECT_NONFATAL_FAILURE(run([](const Side&) { throw std::runtime_error("refused"); }),
                          "on the GPU: refused\n  again: HYSCALE_TWIN_SEED=");
}

TEST_F(TwinHarness, FillsScratchWithNan) {
  const auto seen = twin.output("seen", {2});
  twin.run([&](const Side& s) {
    const Arena::Scope scope(*s.exec().arena);
    const Tensor scratch = s.exec().arena->tensor(s.dtype(), {1, 2});
    const Tensor to = s(seen).reshape({1, 2});
    kernels::scale_rows({.out = to, .x = scratch, .factor = {}}, s.exec());
  });
  for (const double value : twin.gpu_values(seen)) EXPECT_NE(value, value);
}

}  // namespace
}  // namespace hyscale::tests
