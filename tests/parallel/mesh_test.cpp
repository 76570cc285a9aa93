// The same run on meshes of data-parallel and tensor-parallel ranks.
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/base/files.h"
#include "storage/files/checkpoint.h"
#include "tests/parallel/worker_process.h"

namespace hyscale::parallel {
namespace {

using storage::RunDirectory;
using ::testing::HasSubstr;

bool long_tests() { return std::getenv("HYSCALE_LONG_TESTS") != nullptr; }

struct Family {
  std::string name, mixer;
};

std::string hybrid(const std::string& options) {
  return "{kind: hybrid, branches: [{kind: mamba2, d_ssm: 40, head_dim: 8, d_state: 8, chunk: 16}, "
         "{kind: attention, heads: 5, kv_heads: 1, head_dim: 6, value_dim: 40, rope: {theta: 10000}}]" +
         options + "}";
}

/// Small heads, so that four ranks have one each; no number of them that four or three would divide.
std::vector<Family> families() {
  return {{"transformer", "{kind: attention, heads: 6, kv_heads: 2, head_dim: 8, rope: {theta: 10000}}"},
          {"mamba2", "{kind: mamba2, d_ssm: 72, head_dim: 8, d_state: 8, chunk: 16}"},
          {"mamba2_with_groups",
           "{kind: mamba2, d_ssm: 80, head_dim: 8, d_state: 8, groups: 2, norm_groups: 4, chunk: 16}"},
          {"intra", hybrid("")},
          {"intra_joint", hybrid(", value: joint, output: joint, scale: diff")}};
}

std::string run_text(const std::string& mixer, int64_t steps, const std::string& stack = "XX") {
  return fmt::format(R"(format: hyscale.run/1
model:
  vocabulary: 258
  context: 32
  d_model: 24
  mixers:
    X: {}
    A: {{kind: attention, heads: 4, kv_heads: 4, head_dim: 8}}
  stack: {}
  ffn: {{kind: swiglu, d_ff: 50}}
data: {{corpus: tiny}}
train:
  tokens: {}
  batch_tokens: 512
  optimizer: {{kind: adamw, lr: 1e-3}}
  schedule: {{kind: constant, warmup_tokens: 2560}}
)",
                     mixer, stack, 512 * steps);
}

Outcome train(Workshop& shop, const std::string& name, int dp, int tp, std::vector<std::string> more = {}) {
  launch_ranks(shop, dp * tp);
  more.insert(more.end(), {"--tp", std::to_string(tp)});
  return shop.run(shop.train(name, more));
}

storage::RunRecord record(const Workshop& shop, const std::string& name) {
  return storage::read_run_record(RunDirectory{shop.out(name)}.run_h5());
}

/// 1e-5 relative for 20 steps, 1e-3 afterwards.
void expect_close(const storage::RunRecord& one, const storage::RunRecord& many) {
  ASSERT_EQ(one.steps.size(), many.steps.size());
  for (size_t i = 0; i < one.steps.size(); ++i) {
    const double loss = one.steps[i].loss, norm = one.steps[i].grad_norm;
    ASSERT_NEAR(many.steps[i].loss, loss, (i < 20 ? 1e-5 : 1e-3) * loss) << "step " << i + 1;
    ASSERT_NEAR(many.steps[i].grad_norm, norm, (i < 20 ? 1e-4 : 1e-1) * norm) << "step " << i + 1;
  }
  EXPECT_NEAR(one.evals.back().loss, many.evals.back().loss, 1e-3);
}

class EveryMesh : public ::testing::TestWithParam<Family> {};

TEST_P(EveryMesh, FollowsTheCurveOfOneRank) {
  Workshop shop;
  write_file_atomically(shop.path("run.yaml"), run_text(GetParam().mixer, long_tests() ? 200 : 20, "XA"));
  ASSERT_EQ(train(shop, "one", 1, 1).status, 0);
  const storage::RunRecord one = record(shop, "one");
  const std::vector<int> sizes = long_tests() ? std::vector{1, 2, 4} : std::vector{1, 2};
  std::vector<std::pair<int, int>> meshes;
  for (const int dp : sizes)
    for (const int tp : sizes) meshes.emplace_back(dp, tp);
  if (!long_tests()) meshes.emplace_back(1, 3), meshes.emplace_back(1, 4);
  for (const auto& [dp, tp] : meshes) {
    if (dp * tp == 1 || (tp == 1 && !long_tests())) continue;  // mpi_test has two data-parallel ranks
    SCOPED_TRACE(fmt::format("dp {}, tp {}", dp, tp));
    const std::string name = fmt::format("mesh-{}-{}", dp, tp);
    const Outcome outcome = train(shop, name, dp, tp);
    ASSERT_EQ(outcome.status, 0) << outcome.said;
    const storage::RunRecord many = record(shop, name);
    EXPECT_EQ(many.provenance.at("dp"), std::to_string(dp));
    EXPECT_EQ(many.provenance.at("tp"), std::to_string(tp));
    expect_close(one, many);
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryMesh, ::testing::ValuesIn(families()),
                         [](const auto& param) { return param.param.name; });

TEST(ACheckpoint, IsThatOfTheWholeModelWhateverMeshWroteIt) {
  Workshop shop;
  write_file_atomically(shop.path("run.yaml"), run_text(hybrid(""), 20, "XA"));
  ASSERT_EQ(train(shop, "one", 1, 1).status, 0);
  ASSERT_EQ(train(shop, "many", 2, 2).status, 0);
  const storage::CheckpointReader a(storage::checkpoint_path({shop.out("one")}, 20));
  const storage::CheckpointReader b(storage::checkpoint_path({shop.out("many")}, 20));
  ASSERT_EQ(a.names(), b.names());
  for (const std::string& name : a.names()) {
    ASSERT_EQ(a.shape(name), b.shape(name)) << name;
    size_t count = 1;
    for (const int64_t extent : a.shape(name)) count *= static_cast<size_t>(extent);
    std::vector<float> x(count), y(count);
    a.read(name, x);
    b.read(name, y);
    double difference = 0, size = 0;
    for (size_t i = 0; i < count; ++i) {
      difference += std::pow(static_cast<double>(x[i] - y[i]), 2);
      size += std::pow(static_cast<double>(x[i]), 2);
    }
    EXPECT_LE(std::sqrt(difference), 0.01 * std::sqrt(size)) << name;
  }
}

TEST(ARun, GoesOnOnAnyOtherMesh) {
  Workshop shop;
  write_file_atomically(shop.path("run.yaml"), run_text(families()[1].mixer, 20, "XA"));
  ASSERT_EQ(train(shop, "calm", 1, 1).status, 0);
  const std::vector<std::pair<int, int>> meshes{{4, 1}, {1, 2}, {1, 4}, {2, 2}, {1, 1}};
  const std::vector<std::string> pinned{"--checkpoint-at", "2048,4096,6144,8192"};
  ASSERT_EQ(train(shop, "leg-0", 4, 1, pinned).status, 0);
  for (size_t leg = 1; leg < meshes.size(); ++leg) {
    // each begins at the checkpoint that the one before wrote after 4 more steps
    const std::string name = fmt::format("leg-{}", leg), trunk = fmt::format("leg-{}", leg - 1);
    std::vector<std::string> more = pinned;
    more.insert(more.end(), {"--from", storage::checkpoint_path({shop.out(trunk)}, 4 * static_cast<int64_t>(leg))});
    const Outcome outcome = train(shop, name, meshes[leg].first, meshes[leg].second, more);
    ASSERT_EQ(outcome.status, 0) << outcome.said;
    EXPECT_THAT(outcome.said, HasSubstr("the last bits of the curve may change: "));
  }
  expect_close(record(shop, "calm"), record(shop, "leg-4"));
}

TEST(TwoTimesTwoRanks, StopTogetherAndResumeToTheSameBits) {
  Workshop shop;
  write_file_atomically(shop.path("run.yaml"), run_text(hybrid(""), 60, "XA"));
  ASSERT_EQ(train(shop, "calm", 2, 2).status, 0);
  const Outcome stopped = train(shop, "stopped", 2, 2, {"--time-limit", "0.05"});
  ASSERT_EQ(stopped.status, 75) << stopped.said;
  launch_ranks(shop, 4);
  const Outcome resumed = shop.run(shop.train("stopped", {"--resume"}));  // takes tp over
  ASSERT_EQ(resumed.status, 0) << resumed.said;
  EXPECT_THAT(resumed.said, ::testing::Not(HasSubstr("may change")));
  expect_same_curve({shop.out("calm")}, {shop.out("stopped")});
}

TEST(TwoTimesTwoRanks, HaveTheSameBitsWhereGradientsAreSummedDuringTheBackwardPassOrBehindIt) {
  Workshop shop;
  write_file_atomically(shop.path("run.yaml"), run_text(hybrid(""), 20, "XA"));
  const std::vector<std::string> small{"--micro-batch", "2"};  // several a step: only the last one hands gradients over
  std::vector<std::string> behind = small;
  behind.insert(behind.end(), {"--overlap", "no"});
  for (const auto& [dp, tp] : {std::pair(2, 2), std::pair(3, 1)}) {
    SCOPED_TRACE(fmt::format("dp {}, tp {}", dp, tp));
    std::vector<std::string> during = small, after = behind;
    if (dp == 3) {  // shards that do not split evenly
      during.insert(during.end(), {"--set", "train.batch_tokens=192", "--set", "train.tokens=3840"});
      after.insert(after.end(), {"--set", "train.batch_tokens=192", "--set", "train.tokens=3840"});
    }
    const std::string mesh = fmt::format("-{}-{}", dp, tp);
    const Outcome one = train(shop, "during" + mesh, dp, tp, during), two = train(shop, "after" + mesh, dp, tp, after);
    ASSERT_EQ(one.status, 0) << one.said;
    ASSERT_EQ(two.status, 0) << two.said;
    expect_same_curve({shop.out("during" + mesh)}, {shop.out("after" + mesh)});
    expect_same_checkpoint({shop.out("during" + mesh)}, {shop.out("after" + mesh)}, 20);
  }
}

size_t times(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(AMeshThatCannotBe, IsRefusedOnceByAllRanksBeforeAnythingIsMade) {
  Workshop shop;
  write_file_atomically(shop.path("run.yaml"), run_text("{kind: attention, heads: 2, head_dim: 8}", 20));
  launch_ranks(shop, 4);
  const Outcome three = shop.run(shop.train("run", {"--tp", "3"}));
  EXPECT_EQ(three.status, 2) << three.said;
  EXPECT_EQ(times(three.said, "--tp 3: 4 ranks are no multiple of it"), 1u) << three.said;
  EXPECT_EQ(times(three.said, "mixer X: attention has 2 heads"), 1u) << "all that is wrong at once: " << three.said;
  const Outcome four = shop.run(shop.train("run", {"--tp", "4"}));
  EXPECT_EQ(four.status, 2);
  EXPECT_EQ(times(four.said, "use --tp 2 or fewer"), 1u) << four.said;
  EXPECT_FALSE(std::filesystem::exists(shop.out("run")));
}

TEST(RanksThatWereToldDifferentThings, AreRefusedBeforeAnythingIsMade) {
  Workshop shop;
  const auto refused = [&](const std::vector<std::string>& more) {
    launch_ranks(shop, 2);
    shop.launcher.back() = "1";
    std::vector<std::string> words = shop.train("run"), second = shop.train("run", more);
    words.insert(words.end(), {":", "-n", "1", std::string(std::getenv("HYSCALE_BIN_DIR")) + "/hybrid-worker"});
    words.insert(words.end(), second.begin(), second.end());
    const Outcome outcome = shop.run(words);
    EXPECT_EQ(outcome.status, 2) << outcome.said;
    EXPECT_EQ(times(outcome.said, "rank 1 would not do what rank 0 does"), 1u) << outcome.said;
    EXPECT_FALSE(std::filesystem::exists(shop.out("run")));
    return outcome.said;
  };
  EXPECT_THAT(refused({"--set", "train.seed=5"}), HasSubstr("config.train.seed is left out there and 5 here"));
  EXPECT_THAT(refused({"--micro-batch", "1"}), HasSubstr("micro_batch is \"4\" there and \"1\" here"));
  EXPECT_THAT(refused({"--tp", "2"}), HasSubstr("dp is \"2\" there and \"1\" here"));
}

TEST(AMeshThatCannotBe, IsOneOfFewerRanksThanHoldAModel) {
  Workshop shop;
  const Outcome outcome = shop.run(shop.train("run", {"--tp", "2"}));
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.said, HasSubstr("start 2 ranks (mpirun -n 2)"));
}

}  // namespace
}  // namespace hyscale::parallel
