#include <cmath>
#include <gtest/gtest.h>
#include <memory>

#include "core/model/model.h"
#include "core/tensor/device_context.h"
#include "tests/model/stacks.h"
#include "tests/support/documents.h"

namespace hyscale::model::tests {

/// Whole models on a GPU against the same models on the CPU: every mixer and option, forward and backward.
class EveryStackOnAGpu : public ::testing::TestWithParam<Stack> {
 protected:
  static constexpr int64_t kSequences = 2, kLength = 13;
  static void SetUpTestSuite() {
    if (cuda_devices() > 0) gpu_ = open_cuda({});
  }
  static void TearDownTestSuite() { gpu_.reset(); }
  void SetUp() override {
    if (gpu_ == nullptr) GTEST_SKIP() << "no GPU that CUDA can use is here";
  }

  /// Weights spread like those of a trained model: at the start many gradients are nearly zero.
  Model on(DeviceContext& context, DType dtype) const {
    Model model(GetParam().config, dtype, {}, context);
    Model cpu(GetParam().config, DType::f32);
    cpu.parameters().initialise(5);
    std::vector<float> drawn = cpu.parameters().host_weights(), flat(model.parameters().host_weights().size());
    for (size_t n = 0; n < model.parameters().all().size(); ++n) {
      const Parameter &there = model.parameters().all()[n], &here = cpu.parameters().all()[n];
      const float factor = here.spec.name == "embedding.weight" ? 15.0F : 1.0F;
      for_each_element(here, there, [&](int64_t from, int64_t to) {
        flat[static_cast<size_t>(to)] = factor * drawn[static_cast<size_t>(from)];
      });
    }
    model.parameters().set_weights(flat);
    model.parameters().clear_gradients();
    return model;
  }

  /// Calls visit(offset in the one's flat arrays, offset in the other's) for every element of a parameter.
  template <class F>
  static void for_each_element(const Parameter& one, const Parameter& two, F&& visit) {
    const int64_t width = one.spec.shape.back(), rows = one.spec.count() / width;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < width; ++i) visit(one.offset + r * one.stride + i, two.offset + r * two.stride + i);
  }

  static std::vector<float> gradients_of(const Model& model, DeviceContext& context) {
    std::vector<float> flat(static_cast<size_t>(model.parameters().gradients().numel()));
    context.download(flat.data(), model.parameters().gradients());
    return flat;
  }

  /// Relative difference of each parameter's gradient, as a share of the largest gradient's norm where it is tiny.
  void expect_like_the_cpu(const Batch& batch, DType dtype, double tolerance, bool side_by_side = false) {
    Model cpu = on(host_context(), DType::f32), model = on(*gpu_, dtype);
    model.run_branches_side_by_side(side_by_side);
    const double expected = cpu.forward_backward(batch.tokens(), 0.5);
    EXPECT_NEAR(model.forward_backward(batch.tokens(), 0.5) / expected, 1, tolerance / 4);
    const std::vector<float> want = gradients_of(cpu, host_context()), got = gradients_of(model, *gpu_);
    double all = 0;
    for (const float g : want) all += static_cast<double>(g) * static_cast<double>(g);
    for (size_t n = 0; n < model.parameters().all().size(); ++n) {
      const Parameter &here = cpu.parameters().all()[n], &there = model.parameters().all()[n];
      double error = 0, norm = 0;
      for_each_element(here, there, [&](int64_t from, int64_t to) {
        const auto a = static_cast<double>(want[static_cast<size_t>(from)]),
                   b = static_cast<double>(got[static_cast<size_t>(to)]);
        error += (a - b) * (a - b), norm += a * a;
      });
      EXPECT_LE(std::sqrt(error), tolerance * (std::sqrt(norm) + 0.02 * std::sqrt(all)))
          << here.spec.name << ", norm " << std::sqrt(norm) << " of " << std::sqrt(all);
    }
  }

  void expect_the_same_bits_again(bool side_by_side) {
    std::vector<std::vector<float>> runs;
    std::vector<double> losses;
    Model model = on(*gpu_, DType::bf16);
    model.run_branches_side_by_side(side_by_side);
    for (int run = 0; run < 4; ++run) {  // by itself, recorded, replayed twice
      model.parameters().clear_gradients();
      losses.push_back(model.forward_backward(batch_.tokens(), 1));
      runs.push_back(gradients_of(model, *gpu_));
    }
    for (size_t run = 1; run < runs.size(); ++run) {
      EXPECT_EQ(losses[run], losses[0]);
      EXPECT_TRUE(runs[run] == runs[0]) << "run " << run;
    }
  }

  static inline std::unique_ptr<DeviceContext> gpu_;
  Batch batch_{kSequences, kLength, GetParam().config.vocabulary, 3};
};

TEST_P(EveryStackOnAGpu, ComputesInF32WhatTheCpuDoes) { expect_like_the_cpu(batch_, DType::f32, 2e-4); }

TEST_P(EveryStackOnAGpu, KeepsDocumentsApartLikeTheCpu) {
  batch_.documents = hyscale::tests::documents_at(kSequences, kLength, {1, 4, 5});
  expect_like_the_cpu(batch_, DType::f32, 2e-4);
}

TEST_P(EveryStackOnAGpu, ComputesInBf16NearlyTheSame) { expect_like_the_cpu(batch_, DType::bf16, 0.12); }

TEST_P(EveryStackOnAGpu, ComputesTheSameWithBranchesSideBySide) {
  expect_like_the_cpu(batch_, DType::f32, 2e-4, true);
  expect_the_same_bits_again(true);
}

TEST_P(EveryStackOnAGpu, GivesTheSameBitsRecordedOrNot) { expect_the_same_bits_again(false); }

TEST_P(EveryStackOnAGpu, GivesTheSameBitsWhenSwigluIsComputedAgain) {
  Model kept = on(*gpu_, DType::bf16), again = on(*gpu_, DType::bf16);
  again.recompute(spec::Recompute::swiglu);
  EXPECT_EQ(kept.forward_backward(batch_.tokens(), 1), again.forward_backward(batch_.tokens(), 1));
  EXPECT_TRUE(gradients_of(kept, *gpu_) == gradients_of(again, *gpu_));
}

INSTANTIATE_TEST_SUITE_P(Stacks, EveryStackOnAGpu, ::testing::ValuesIn(stacks()),
                         [](const auto& stack) { return stack.param.name; });

class EightBitsOnAGpu : public EveryStackOnAGpu {
 protected:
  static constexpr int64_t kTokens = 16;  // of a sequence: whole multiples of 16 in all
  Batch wide_{kSequences, kTokens, GetParam().config.vocabulary, 3};
};

TEST_P(EightBitsOnAGpu, ComputesRoughlyTheSame) {
  Model exact = on(*gpu_, DType::bf16), rounded = on(*gpu_, DType::bf16);
  rounded.multiply_in_float8(true);
  const double want = exact.forward_backward(wide_.tokens(), 0.5), got = rounded.forward_backward(wide_.tokens(), 0.5);
  EXPECT_NEAR(got / want, 1, 0.05);
  EXPECT_NE(got, want) << "nothing was multiplied in eight bits";
  const std::vector<float> a = gradients_of(exact, *gpu_), b = gradients_of(rounded, *gpu_);
  double error = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    error += (x - y) * (x - y), norm += x * x;
  }
  EXPECT_LE(std::sqrt(error / norm), 0.25);
  EXPECT_GT(std::sqrt(error / norm), 1e-3);
}

TEST_P(EightBitsOnAGpu, RoundsRowsAgainThatWereNotKept) {
  Model kept = on(*gpu_, DType::bf16), again = on(*gpu_, DType::bf16);
  kept.multiply_in_float8(true);
  again.multiply_in_float8(true);
  again.recompute(spec::Recompute::swiglu);
  for (int run = 0; run < 3; ++run) {  // by itself, recorded, replayed
    EXPECT_EQ(kept.forward_backward(wide_.tokens(), 1), again.forward_backward(wide_.tokens(), 1));
    EXPECT_TRUE(gradients_of(kept, *gpu_) == gradients_of(again, *gpu_));
  }
}

TEST_P(EightBitsOnAGpu, SaysWhereAValueIsNotFinite) {
  Model model = on(*gpu_, DType::bf16);
  model.multiply_in_float8(true);
  std::vector<float> flat = model.parameters().host_weights();
  flat[static_cast<size_t>(model.parameters().all().back().offset)] = INFINITY;
  model.parameters().set_weights(flat);
  EXPECT_FALSE(std::isfinite(model.forward_backward(wide_.tokens(), 1)));
  EXPECT_EQ(model.find_nonfinite(wide_.tokens(), 1), model.parameters().all().back().spec.name);
}

INSTANTIATE_TEST_SUITE_P(Stacks, EightBitsOnAGpu, ::testing::ValuesIn(stacks_of_sixteens()),
                         [](const auto& stack) { return stack.param.name; });

}  // namespace hyscale::model::tests
