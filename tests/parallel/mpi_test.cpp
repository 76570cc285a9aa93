#include <chrono>
#include <csignal>
#include <gmock/gmock.h>
#include <thread>

#include "core/base/files.h"
#include "storage/files/checkpoint.h"
#include "tests/parallel/worker_process.h"

namespace hyscale::parallel {
namespace {

using storage::RunDirectory;
using ::testing::HasSubstr;

TEST(TwoRanks, FollowOneRankWithinTheToleranceOfMeshes) {
  const Workshop one;
  ASSERT_EQ(one.run(one.train("run")).status, 0);
  Workshop two;
  launch_ranks(two, 2);
  const Outcome outcome = two.run(two.train("run"));
  ASSERT_EQ(outcome.status, 0) << outcome.said;
  const auto a = storage::read_run_record(RunDirectory{one.out("run")}.run_h5());
  const auto b = storage::read_run_record(RunDirectory{two.out("run")}.run_h5());
  EXPECT_EQ(b.provenance.at("dp"), "2");
  ASSERT_EQ(b.steps.size(), 200u);
  for (size_t i = 0; i < 200; ++i) {
    EXPECT_NEAR(a.steps[i].loss, b.steps[i].loss, (i < 20 ? 1e-5 : 1e-3) * a.steps[i].loss) << "step " << i + 1;
    EXPECT_NEAR(a.steps[i].grad_norm, b.steps[i].grad_norm, (i < 20 ? 1e-4 : 1e-1) * a.steps[i].grad_norm);
  }
  EXPECT_NEAR(a.evals[0].loss, b.evals[0].loss, 1e-3);
}

TEST(TwoRanks, StopTogetherAndResumeToTheSameBits) {
  Workshop shop;
  launch_ranks(shop, 2);
  ASSERT_EQ(shop.run(shop.train("calm")).status, 0);
  const Outcome stopped = shop.run(shop.train("stopped", {"--time-limit", "0.05"}));
  ASSERT_EQ(stopped.status, 75) << stopped.said;
  const Outcome resumed = shop.run(shop.train("stopped", {"--resume"}));
  ASSERT_EQ(resumed.status, 0) << resumed.said;
  expect_same_curve({shop.out("calm")}, {shop.out("stopped")});
}

/// The status of a run that would take for ever, once it is on its way.
storage::RunStatus under_way(const RunDirectory& run) {
  while (true) {
    const auto status = storage::read_status(run);
    if (status && status->step > 0) return *status;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}
const std::vector<std::string> kForEver{"--set", "train.tokens=51200000"};

TEST(TwoRanks, AllEndWhenOneOfThemIsKilled) {
  Workshop shop;
  launch_ranks(shop, 2);
  const pid_t all = shop.start(shop.train("run", kForEver));
  ::kill(static_cast<pid_t>(under_way({shop.out("run")}).pid), SIGKILL);
  const Outcome outcome = shop.wait(all);  // would hang with the rank that is left
  EXPECT_EQ(outcome.status, 128 + SIGKILL);
  EXPECT_THAT(outcome.said, HasSubstr("signal 9"));
}

TEST(TwoRanks, CheckpointWhenTheStopFileAsksOrMpirunIsAsked) {
  Workshop shop;
  launch_ranks(shop, 2);
  const RunDirectory run{shop.out("run")};
  const pid_t first = shop.start(shop.train("run", kForEver));
  under_way(run);
  write_file_atomically(run.stop_file(), "");
  EXPECT_EQ(shop.wait(first).status, 75);
  const auto resume = [&] {
    std::vector<std::string> more = kForEver;
    more.push_back("--resume");
    return shop.start(shop.train("run", more));
  };
  const int64_t before = storage::list_checkpoints(run).back();
  const pid_t second = resume();
  while (under_way(run).attempt < 2 || under_way(run).step <= before)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ::kill(second, SIGTERM);  // mpirun ends in a status of its own; the worker's word counts
  shop.wait(second);
  const auto status = storage::read_status(run).value();
  EXPECT_EQ(status.state, storage::WorkerState::stopped);
  EXPECT_EQ(status.exit_code, 75);
  EXPECT_GT(storage::list_checkpoints(run).back(), before);
}

TEST(TwoRanks, SayABadConfigOnceAndEndWithTwo) {
  Workshop shop;
  launch_ranks(shop, 2);
  const Outcome outcome = shop.run(shop.train("run", {"--device", "cuda"}));
  EXPECT_EQ(outcome.status, 2) << outcome.said;
  const size_t first = outcome.said.find("trains on one GPU");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(outcome.said.find("trains on one GPU", first + 1), std::string::npos) << outcome.said;
}

TEST(ThreeRanks, AreRefusedABatchThatDoesNotSplit) {
  Workshop shop;
  launch_ranks(shop, 3);
  const Outcome outcome = shop.run(shop.train("run"));
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.said, HasSubstr("does not split over 3 ranks"));
}

}  // namespace
}  // namespace hyscale::parallel
