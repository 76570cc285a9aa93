#include "parallel/train_state.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <future>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "parallel/checkpoint_writer.h"
#include "tests/support/scratch.h"

namespace hyscale::parallel {

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

static TrainState::StepResult step(TrainState& state, int64_t index) {
  const OwnedTensor inputs(DType::i32, {2, 8}), targets(DType::i32, {2, 8});
  for (int64_t i = 0; i < 16; ++i)
    inputs.tensor().as<int32_t>()[i] = static_cast<int32_t>(i), targets.tensor().as<int32_t>()[i] = 3;
  state.accumulate({inputs, targets}, 1.0 / 16, true);
  return state.finish_step(index, 1e-2);
}

static std::vector<float> weights(TrainState& state) { return state.model().parameters().host_weights(); }

/// On the CPU in fp32 and on a GPU in bf16.
class TrainStateOn : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "cuda" && cuda_devices() == 0) GTEST_SKIP() << "no GPU that CUDA can use is here";
    const bool gpu = GetParam() == "cuda";
    device_ = open_device(GetParam(), gpu ? spec::Precision::bf16 : spec::Precision::fp32, true, 1);
    config_ = wide_run(scratch_);
  }
  TrainState fresh(int64_t seed) {
    TrainState state(config_, device_, {self_, self_, self_});
    state.initialise(seed);
    return state;
  }

  tests::ScratchDirectory scratch_;
  spec::RunConfig config_;
  SelfCollective self_;
  WorkDevice device_;
};

TEST_P(TrainStateOn, GoesOnFromACheckpointBitForBit) {
  TrainState one = fresh(1), two = fresh(2);
  step(one, 1);
  step(one, 2);  // on a GPU: recorded
  one.save(scratch_ / "checkpoint.h5", {.run_id = "x", .run_yaml = "y", .step = 2, .tokens = 32, .notes = {}});
  const storage::CheckpointReader checkpoint(scratch_ / "checkpoint.h5");
  two.load(&checkpoint);
  EXPECT_EQ(weights(one), weights(two));
  for (int64_t index = 3; index < 7; ++index) {
    EXPECT_EQ(step(one, index).nll, step(two, index).nll);
    EXPECT_EQ(weights(one), weights(two));  // moments too have come back
  }
  std::vector<float> dense(17 * 256);
  checkpoint.read("weights/embedding.weight", dense);
  EXPECT_NE(dense[256], 0.0F);  // no gap in the file
}

TEST_P(TrainStateOn, IsWrittenAsItWasWhileTrainingGoesOn) {
  TrainState one = fresh(1), two = fresh(2);
  step(one, 1);
  const std::vector<float> then = weights(one);
  std::promise<void> go_on;
  std::vector<std::string> order;
  {
    CheckpointWriter writer(one, {self_, self_, self_}, true, Clock::system());
    writer.start(scratch_ / "checkpoint.h5", {.run_id = "x", .run_yaml = "y", .step = 1, .tokens = 16, .notes = {}},
                 {.before = [&] { go_on.get_future().wait(), order.emplace_back("before"); },
                  .after = [&] { order.emplace_back("after"); }});
    step(one, 2);  // would wait for ever for a writing that training waits for
    EXPECT_FALSE(std::filesystem::exists(scratch_ / "checkpoint.h5"));
    go_on.set_value();
    writer.wait();
    EXPECT_EQ(writer.started(), 1);
  }
  EXPECT_EQ(order, (std::vector<std::string>{"before", "after"}));
  const storage::CheckpointReader checkpoint(scratch_ / "checkpoint.h5");
  two.load(&checkpoint);
  EXPECT_EQ(weights(two), then);
  EXPECT_NE(weights(one), then);
  step(two, 2);
  EXPECT_EQ(weights(two), weights(one));
}

TEST_P(TrainStateOn, TellsOnceOfACheckpointThatCannotBeWritten) {
  TrainState state = fresh(1);
  CheckpointWriter writer(state, {self_, self_, self_}, true, Clock::system());
  writer.start(scratch_ / "no/such/directory.h5", {}, {.before = [] {}, .after = [] { FAIL() << "nothing is there"; }});
  EXPECT_THROW(writer.wait(), IoError);
  EXPECT_NO_THROW(writer.check());
}

TEST_P(TrainStateOn, ChangesNothingWhenTheGradientIsNotFinite) {
  TrainState state = fresh(1);
  EXPECT_GT(step(state, 1).gradient_norm, 0);
  const std::vector<float> before = weights(state);
  const float nan = std::nanf("");
  device_.context().upload(state.model().parameters().gradients().slice(0, 5, 1), &nan);
  EXPECT_TRUE(std::isnan(state.finish_step(2, 1e-2).gradient_norm));
  EXPECT_EQ(weights(state), before);
  EXPECT_GT(step(state, 2).gradient_norm, 0);  // the gradients are clear again
}

TEST_P(TrainStateOn, NamesTheFirstTensorThatIsNotFinite) {
  TrainState state = fresh(1);
  std::vector<float> flat = weights(state);
  const model::Parameter& norm = state.model().parameters().at("final_norm.weight");
  std::fill_n(flat.begin() + norm.offset, norm.size, 3e38F);
  state.model().parameters().set_weights(flat);
  const OwnedTensor inputs(DType::i32, {2, 8}), targets(DType::i32, {2, 8});
  EXPECT_EQ(state.model().find_nonfinite({inputs, targets}, 1), "final_norm's output");
}

INSTANTIATE_TEST_SUITE_P(Devices, TrainStateOn, ::testing::Values("cpu", "cuda"),
                         [](const auto& device) { return device.param; });

}  // namespace hyscale::parallel
