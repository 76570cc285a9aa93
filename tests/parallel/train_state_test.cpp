#include "parallel/train_state.h"

#include <cmath>
#include <gtest/gtest.h>

#include "tests/support/gradient_check.h"
#include "tests/support/scratch.h"

namespace hyscale::parallel {

using tests::values_of;

// Matrices 256 wide: their rows lie apart in the flat arrays, side by side in a checkpoint.
static spec::RunConfig wide_run(const tests::ScratchDirectory& scratch) {
  return spec::load_run_config(scratch.write("run.yaml", R"(format: hyscale.run/1
model:
  vocabulary: 17
  context: 8
  d_model: 256
  mixers:
    A: {kind: attention, heads: 2, kv_heads: 1, head_dim: 64}
  stack: A
  ffn: {kind: swiglu, d_ff: 12}
data: {corpus: none}
train: {tokens: 80, batch_tokens: 16, optimizer: {kind: adamw, lr: 1e-2}, schedule: {kind: constant, warmup_tokens: 0}}
)"),
                               {});
}

static void step(TrainState& state, int64_t index) {
  const OwnedTensor inputs(DType::i32, {2, 8}), targets(DType::i32, {2, 8});
  for (int64_t i = 0; i < 16; ++i)
    inputs.tensor().as<int32_t>()[i] = static_cast<int32_t>(i), targets.tensor().as<int32_t>()[i] = 3;
  state.accumulate({inputs, targets}, 1.0 / 16);
  EXPECT_GT(state.finish_step(index, 1e-2).gradient_norm, 0);
}

TEST(TrainState, GoesOnFromACheckpointBitForBit) {
  const tests::ScratchDirectory scratch;
  const spec::RunConfig config = wide_run(scratch);
  SelfCollective self;
  const WorkDevice cpu;
  TrainState one(config, cpu, self), two(config, cpu, self);
  one.initialise(1);
  two.initialise(2);
  step(one, 1);
  one.save(scratch / "checkpoint.h5", {.run_id = "x", .run_yaml = "y", .step = 1, .tokens = 16, .notes = {}});
  const storage::CheckpointReader checkpoint(scratch / "checkpoint.h5");
  two.load(&checkpoint);
  const auto weights = [](TrainState& state) { return values_of(state.model().parameters().weights()); };
  EXPECT_EQ(weights(one), weights(two));
  step(one, 2);
  step(two, 2);
  EXPECT_EQ(weights(one), weights(two));  // moments too have come back
  std::vector<float> dense(17 * 256);
  checkpoint.read("weights/embedding.weight", dense);
  EXPECT_NE(dense[256], 0.0F);  // no gap in the file
}

TEST(TrainState, ChangesNothingWhenTheGradientIsNotFinite) {
  const tests::ScratchDirectory scratch;
  const spec::RunConfig config = wide_run(scratch);
  SelfCollective self;
  const WorkDevice cpu;
  TrainState state(config, cpu, self);
  state.initialise(1);
  step(state, 1);
  const std::vector<double> before = values_of(state.model().parameters().weights());
  state.model().parameters().gradients().as<float>()[5] = std::nanf("");
  EXPECT_TRUE(std::isnan(state.finish_step(2, 1e-2).gradient_norm));
  EXPECT_EQ(values_of(state.model().parameters().weights()), before);
  step(state, 2);  // the gradients are clear again
}

}  // namespace hyscale::parallel
