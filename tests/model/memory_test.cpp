// The memory that accounting foretells is the memory that models take.
#include "core/spec/memory.h"

#include <array>
#include <gtest/gtest.h>
#include <string>

#include "core/kernels/instruction_set.h"
#include "core/spec/accounting.h"
#include "tests/model/stacks.h"
#include "tests/support/gradient_check.h"
#include "tests/support/thread_ranks.h"

namespace hyscale::model::tests {

using hyscale::tests::values_of;

// States are counted in vectors of 8; those of 16 pad the 8 channels of these small heads.
static double least() { return std::string(kernels::instruction_set()) == "x86-64-v4" ? 0.85 : 0.95; }

class MemoryOfEveryStack : public ::testing::TestWithParam<Stack> {};

TEST_P(MemoryOfEveryStack, ActivationsAreForetoldWithinFivePerCent) {
  spec::ModelConfig config = GetParam().config;
  config.context = 96;
  const int64_t sequences = 24;  // more than the arena's smallest block
  Model model(config, DType::f32);
  model.parameters().initialise(1);
  const Batch batch(sequences, config.context, config.vocabulary, 3);
  for (int step = 0; step < 2; ++step) model.forward_backward(batch.tokens(), 1);
  const spec::MemoryBytes foretold = spec::memory_per_rank(config, {.micro_batch = sequences});
  const auto taken = static_cast<double>(model.activation_bytes());
  ASSERT_GT(taken, 1 << 20);
  EXPECT_GT(foretold.activations + foretold.scratch, least() * taken);
  EXPECT_LT(foretold.activations + foretold.scratch, 1.05 * taken);
}

TEST_P(MemoryOfEveryStack, RecomputingIsForetoldAndChangesNoBit) {
  spec::ModelConfig config = GetParam().config;
  config.context = 96;
  const int64_t sequences = 24;
  const Batch batch(sequences, config.context, config.vocabulary, 3);
  const auto train = [&](Model& model, spec::Recompute recompute) {
    model.recompute(recompute);
    model.parameters().initialise(1);
    model.parameters().clear_gradients();
    double loss = 0;
    for (int step = 0; step < 2; ++step) loss += model.forward_backward(batch.tokens(), 1);
    return loss;
  };
  Model kept(config, DType::f32), again(config, DType::f32);
  EXPECT_EQ(train(kept, spec::Recompute::none), train(again, spec::Recompute::swiglu));
  EXPECT_EQ(values_of(kept.parameters().gradients()), values_of(again.parameters().gradients()));
  const spec::MemoryBytes foretold =
      spec::memory_per_rank(config, {.micro_batch = sequences, .recompute = spec::Recompute::swiglu});
  const auto taken = static_cast<double>(again.activation_bytes());
  EXPECT_GT(foretold.activations + foretold.scratch, least() * taken);
  EXPECT_LT(foretold.activations + foretold.scratch, 1.05 * taken);
}

TEST_P(MemoryOfEveryStack, ParametersAreCountedExactly) {
  const spec::ModelConfig& config = GetParam().config;
  const Model model(config, DType::f32);
  int64_t allocated = 0;
  for (const Parameter& p : model.parameters().all()) allocated += p.weight.numel();
  EXPECT_EQ(allocated, spec::account(config).params.total);
  const auto flat = static_cast<double>(model.parameters().weights().numel());
  const spec::MemoryBytes bytes = spec::memory_per_rank(config, {});
  EXPECT_DOUBLE_EQ(bytes.weights, 4 * flat);
  EXPECT_DOUBLE_EQ(bytes.gradients, 4 * static_cast<double>(model.parameters().gradients().numel()));
  EXPECT_DOUBLE_EQ(bytes.optimizer, 8 * flat);
}

TEST_P(MemoryOfEveryStack, OfTwoRanksTheLargerPartIsForetold) {
  spec::ModelConfig config = GetParam().config;
  config.context = 96;
  const int64_t sequences = 48;
  const Batch batch(sequences, config.context, config.vocabulary, 3);
  std::array<double, 2> taken{}, flat{};
  hyscale::tests::ThreadRanks(2).run([&](int rank, TensorGroup& group) {
    Model part(config, DType::f32, {}, host_context(), &group);
    part.parameters().initialise(1);
    for (int step = 0; step < 2; ++step) part.forward_backward(batch.tokens(), 1);
    part.complete_gradients();
    const auto r = static_cast<size_t>(rank);
    taken[r] = static_cast<double>(part.activation_bytes());
    flat[r] = static_cast<double>(part.parameters().weights().numel());
  });
  const spec::MemoryBytes foretold = spec::memory_per_rank(config, {.tp = 2, .micro_batch = sequences});
  EXPECT_DOUBLE_EQ(foretold.weights, 4 * std::max(flat[0], flat[1]));
  EXPECT_GT(foretold.activations + foretold.scratch, least() * std::max(taken[0], taken[1]));
  EXPECT_LT(foretold.activations + foretold.scratch, 1.05 * std::max(taken[0], taken[1]));
}

INSTANTIATE_TEST_SUITE_P(Memory, MemoryOfEveryStack, ::testing::ValuesIn(stacks()),
                         [](const auto& param) { return param.param.name; });

// Rows of 256 and 512 channels are laid apart, heads of 64 fill vectors: the layout of models in earnest.
TEST(Memory, IsForetoldForWideRowsToo) {
  const spec::ModelConfig config = spec::parse_run_config(R"(format: hyscale.run/1
model:
  vocabulary: 1000
  context: 128
  d_model: 256
  mixers:
    A: {kind: attention, heads: 4, kv_heads: 2, head_dim: 64, rope: {theta: 10000}}
    M: {kind: mamba2, d_ssm: 512, head_dim: 64, d_state: 64, chunk: 64}
  stack: MAM
  ffn: {kind: swiglu, d_ff: 704}
data: {corpus: none}
train: {tokens: 1280, batch_tokens: 256, optimizer: {lr: 1e-3}, schedule: {kind: constant}}
)",
                                                          "run.yaml")
                                       .model;
  Model model(config, DType::f32);
  const Batch batch(2, 128, 1000, 3);
  for (int step = 0; step < 2; ++step) model.forward_backward(batch.tokens(), 1);
  const spec::MemoryBytes bytes = spec::memory_per_rank(config, {.micro_batch = 2});
  EXPECT_NEAR((bytes.activations + bytes.scratch) / static_cast<double>(model.activation_bytes()), 1, 0.01);
  EXPECT_DOUBLE_EQ(bytes.weights, 4 * static_cast<double>(model.parameters().weights().numel()));
}

TEST(Memory, RanksShareTheMomentsAndLowPrecisionHalvesActivations) {
  const spec::ModelConfig config = stacks().front().config;
  const spec::MemoryBytes one = spec::memory_per_rank(config, {.micro_batch = 4});
  const spec::MemoryBytes two = spec::memory_per_rank(config, {.dp = 2, .micro_batch = 4});
  EXPECT_DOUBLE_EQ(two.optimizer, one.optimizer / 2);
  EXPECT_DOUBLE_EQ(two.weights, one.weights);
  const spec::MemoryBytes low = spec::memory_per_rank(config, {.micro_batch = 4, .precision = spec::Precision::bf16});
  EXPECT_DOUBLE_EQ(low.weights, 1.5 * one.weights);
  EXPECT_LT(low.activations, 0.6 * one.activations);
  const spec::MemoryBytes uneven = spec::memory_per_rank(config, {.dp = 5, .micro_batch = 4});
  EXPECT_GT(uneven.optimizer, one.optimizer) << "an uneven split needs a padded copy of weights and gradients";
}

}  // namespace hyscale::model::tests
