// A mixer that no program knows is read, counted, differentiated, planned and trained through public interfaces alone.
#include <cmath>
#include <fstream>
#include <gmock/gmock.h>
#include <numeric>

#include "core/data/prepare.h"
#include "core/spec/accounting.h"
#include "parallel/train.h"
#include "storage/files/curve.h"
#include "studies/families/family.h"
#include "tests/mixers/ema/ema.h"
#include "tests/mixers/ema/ema_spec.h"
#include "tests/mixers/mixer_harness.h"
#include "tests/support/scratch.h"

namespace hyscale::tests {

using testing::HasSubstr;

constexpr const char* kRun = R"(format: hyscale.run/1
model:
  vocabulary: 258
  context: 32
  d_model: 32
  mixers:
    A: {kind: attention, heads: 2, kv_heads: 1, head_dim: 16, rope: {theta: 10000}}
    E: {kind: ema, half_life: 3}
  stack: {family: inter, ratio: "1:2", cheap: E, layers: 3}
  ffn: {kind: swiglu, d_ff: 64}
data: {corpus: tiny}
train:
  tokens: 76800
  batch_tokens: 256
  optimizer: {kind: adamw, lr: 4e-3}
  schedule: {kind: trapezoid, warmup_tokens: 5120, cooldown_tokens: 12800}
)";

class NewMixer : public testing::Test {
 protected:
  void SetUp() override { register_ema(); }
  ScratchDirectory scratch_;
};

TEST_F(NewMixer, IsReadFromARunConfigAndWrittenBack) {
  const spec::RunConfig config = spec::parse_run_config(kRun, "run.yaml");
  std::string stack;
  for (const spec::BlockConfig& block : config.model.stack) stack += block.name;
  EXPECT_EQ(stack, "EAE");
  EXPECT_DOUBLE_EQ(dynamic_cast<const EmaSpec&>(*config.model.stack[0].mixer).half_life, 3);
  const spec::RunConfig again = spec::parse_run_config(spec::to_yaml(config), "written");
  EXPECT_EQ(run_id(again, {"c", "t"}), run_id(config, {"c", "t"}));
  std::string wrong = kRun;
  wrong.replace(wrong.find("half_life"), 9, "halflife_");
  EXPECT_THAT([&] { spec::parse_run_config(wrong, "run.yaml"); },
              testing::ThrowsMessage<ConfigError>(HasSubstr("did you mean 'half_life'?")));
}

TEST_F(NewMixer, IsAccountedFor) {
  const spec::Account account = spec::account(spec::parse_run_config(kRun, "run.yaml").model);
  EXPECT_EQ(account.layers[0].mixer, "ema");
  EXPECT_EQ(account.layers[0].mixer_parameters, 32 * 32 + 32);
  EXPECT_DOUBLE_EQ(account.cache_bytes_per_sequence.actual, 2 * 4 * 32 + 4 * 2 * 16 * 32);
}

TEST_F(NewMixer, HasTheRightGradients) {
  EmaSpec spec;
  spec.width = 12;
  MixerHarness(spec, 12, {.sequences = 2, .length = 9}, DType::f64).expect_gradients_match();
}

TEST_F(NewMixer, IsMatchedInParametersLikeAnyFamily) {
  const spec::RunFile base = spec::load_run_file(scratch_.write("base.yaml", kRun));
  studies::FamilySpec family;
  family.stack = {.kind = spec::StackRule::Kind::family, .ratio = {1, 3}, .cheap = "E"};
  const auto fit = studies::fit_family(family, {.name = "1M", .target = 1e6}, base, 1'000'000);
  EXPECT_EQ(fit.problem, "");
  EXPECT_LE(std::abs(fit.off), 0.02);
  EXPECT_EQ(dynamic_cast<const EmaSpec&>(*fit.model.stack[0].mixer).width, fit.model.d_model);
}

TEST_F(NewMixer, TrainsWithFallingLossInTheTrainerOfAllModels) {
  std::ofstream text(scratch_ / "text.txt");
  for (int i = 0; i < 400; ++i) text << "the cat sat on the mat and saw " << i % 7 << " birds\n\f\n";
  text.close();
  data::prepare_corpus({.inputs = {scratch_ / "text.txt"},
                        .tokenizer = "byte",
                        .out = scratch_ / "store/corpora/tiny",
                        .validation_tokens = 1000},
                       [](const data::PrepareProgress&) {});
  parallel::TrainOptions options;
  options.run_file = scratch_.write("run.yaml", kRun);
  options.out = scratch_ / "run";
  options.store = scratch_ / "store";
  options.max_epochs = 0;
  options.threads = 1;
  options.quiet = true;
  ASSERT_EQ(parallel::train(options), ExitCode::done);
  const storage::RunRecord record = storage::read_run_record(storage::RunDirectory{options.out}.run_h5());
  ASSERT_EQ(record.steps.size(), 300u);
  EXPECT_NEAR(record.steps.front().loss, std::log(258.0), 0.2);
  EXPECT_LT(record.steps.back().loss, 0.5);
}

}  // namespace hyscale::tests
