#include <chrono>
#include <csignal>
#include <filesystem>
#include <gmock/gmock.h>
#include <thread>

#include "core/base/files.h"
#include "storage/files/checkpoint.h"
#include "storage/files/curve.h"
#include "tests/parallel/worker_process.h"
#include "tests/storage/flip_bit.h"

namespace hyscale::parallel {
namespace {

using storage::flip_bit;
using storage::RunDirectory;
using storage::WorkerState;
using ::testing::HasSubstr;

/// Waits until the run's journal shows a step, then asks the worker to stop by `signal`.
Outcome signalled(const Workshop& shop, const std::string& name, int signal, std::vector<std::string> more = {}) {
  more.insert(more.end(), {"--log-every", "1"});
  const pid_t worker = shop.start(shop.train(name, more));
  const RunDirectory run{shop.out(name)};
  for (int i = 0; i < 5000 && storage::stitch_curve(run).steps.size() < 20; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  ::kill(worker, signal);
  return shop.wait(worker);
}

TEST(Train, StopsAtASignalWithACheckpointAndResumesToTheSameBits) {
  const Workshop shop;
  const RunDirectory calm{shop.out("calm")};
  ASSERT_EQ(shop.run(shop.train("calm")).status, 0);
  for (const int signal : {SIGTERM, SIGUSR1, SIGINT}) {
    const std::string name = "stopped-" + std::to_string(signal);
    const RunDirectory run{shop.out(name)};
    const Outcome stopped = signalled(shop, name, signal);
    ASSERT_EQ(stopped.status, 75) << stopped.said;
    const auto status = storage::read_status(run).value();
    EXPECT_EQ(status.state, WorkerState::stopped);
    EXPECT_EQ(status.exit_code, 75);
    EXPECT_GE(status.step, 20);
    EXPECT_LT(status.step, 200);
    EXPECT_EQ(storage::list_checkpoints(run).back(), status.step);
    const Outcome resumed = shop.run(shop.train(name, {"--resume"}));
    ASSERT_EQ(resumed.status, 0) << resumed.said;
    expect_same_curve(calm, run);
    expect_same_checkpoint(calm, run, 200);
  }
}

TEST(Train, StopsAtTheTimeLimitAndAtTheStopFile) {
  const Workshop shop;
  EXPECT_EQ(shop.run(shop.train("limit", {"--time-limit", "0.01"})).status, 75);
  const pid_t worker = shop.start(shop.train("file", {"--set", "train.tokens=5120000"}));
  while (!std::filesystem::exists(shop.out("file") + "/status.json"))
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  write_file_atomically(shop.out("file") + "/stop", "");
  const Outcome stopped = shop.wait(worker);
  EXPECT_EQ(stopped.status, 75);
  EXPECT_THAT(storage::read_status({shop.out("file")}).value().message, HasSubstr("stop file"));
}

TEST(Train, KeepsItsPeakMemoryInStatusRecordAndLog) {
  const Workshop shop;
  const RunDirectory run{shop.out("run")};
  ASSERT_EQ(shop.run(shop.train("run")).status, 0);
  const int64_t peak = storage::read_status(run).value().peak_memory_bytes;
  EXPECT_GT(peak, 4 << 20);
  EXPECT_EQ(storage::read_run_record(run.run_h5()).provenance.at("peak_memory_bytes"), std::to_string(peak));
  EXPECT_THAT(read_file(run.log()), HasSubstr("200 steps in "));
  EXPECT_THAT(read_file(run.log()), HasSubstr("peak memory "));
}

TEST(Train, PassesOverADamagedCheckpointAndSaysSo) {
  const Workshop shop;
  const RunDirectory calm{shop.out("calm")}, run{shop.out("hurt")};
  ASSERT_EQ(shop.run(shop.train("calm")).status, 0);
  ASSERT_EQ(signalled(shop, "hurt", SIGTERM, {"--checkpoint-every", "7"}).status, 75);
  const auto steps = storage::list_checkpoints(run);
  ASSERT_EQ(steps.size(), 2u);
  const std::string newest = storage::checkpoint_path(run, steps[1]);
  flip_bit(newest, std::filesystem::file_size(newest) / 2);
  const Outcome resumed = shop.run(shop.train("hurt", {"--resume"}));
  ASSERT_EQ(resumed.status, 0) << resumed.said;
  EXPECT_THAT(resumed.said, HasSubstr(newest + " is damaged: the bytes of /"));
  EXPECT_THAT(resumed.said, HasSubstr("begins after step " + std::to_string(steps[0])));
  expect_same_curve(calm, run);
}

TEST(Train, TrainsAgainWhatADamagedJournalLost) {
  const Workshop shop;
  const RunDirectory calm{shop.out("calm")}, run{shop.out("hurt")};
  ASSERT_EQ(shop.run(shop.train("calm")).status, 0);
  ASSERT_EQ(signalled(shop, "hurt", SIGTERM).status, 75);
  std::filesystem::remove(run.attempt(1));
  flip_bit(run.journal(), 300);
  const Outcome resumed = shop.run(shop.train("hurt", {"--resume"}));
  ASSERT_EQ(resumed.status, 0) << resumed.said;
  EXPECT_THAT(resumed.said, HasSubstr("checksum does not hold"));
  expect_same_curve(calm, run);
}

TEST(Train, OnAFullDiskSaysSoAndCarriesOnFromTheOldCheckpoint) {
  Workshop shop;
  const RunDirectory calm{shop.out("calm")}, run{shop.out("full")};
  ASSERT_EQ(shop.run(shop.train("calm")).status, 0);
  ASSERT_EQ(signalled(shop, "full", SIGTERM).status, 75);
  const auto before = storage::list_checkpoints(run);
  shop.file_limit = 100'000;  // enough for journal and status, too little for a checkpoint
  const Outcome full = shop.run(shop.train("full", {"--resume", "--checkpoint-every", "1"}));
  EXPECT_EQ(full.status, 1) << full.said;
  EXPECT_THAT(full.said, HasSubstr("cannot write " + run.checkpoints()));
  EXPECT_EQ(storage::list_checkpoints(run), before);
  EXPECT_EQ(storage::read_status(run).value().state, WorkerState::failed);
  shop.file_limit = 0;
  ASSERT_EQ(shop.run(shop.train("full", {"--resume"})).status, 0);
  expect_same_curve(calm, run);
}

TEST(Train, KeepsTheRulesOfItsDirectory) {
  const Workshop shop;
  const std::vector<std::string> brief{"--set", "train.tokens=25600", "--set", "train.schedule.cooldown_tokens=5120"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), brief.begin(), brief.end());
    return more;
  };
  const Outcome nothing = shop.run(shop.train("run", with({"--resume"})));
  EXPECT_EQ(nothing.status, 2);
  EXPECT_THAT(nothing.said, HasSubstr("holds no run"));
  ASSERT_EQ(shop.run(shop.train("run", brief)).status, 0);
  EXPECT_EQ(storage::read_status({shop.out("run")}).value().state, WorkerState::done);
  const Outcome again = shop.run(shop.train("run", brief));
  EXPECT_EQ(again.status, 2);
  EXPECT_THAT(again.said, HasSubstr("--resume"));
  const Outcome done = shop.run(shop.train("run", with({"--resume"})));
  EXPECT_EQ(done.status, 0);
  EXPECT_THAT(done.said, HasSubstr("already done"));
  const Outcome other = shop.run(shop.train("run", with({"--resume", "--set", "train.optimizer.lr=2e-3"})));
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.said, HasSubstr("train.optimizer.lr is 0.001 there and 0.002 here"));
  const FileLock lock(RunDirectory{shop.out("run")}.lock(), FileLock::Wait::no);
  const Outcome locked = shop.run(shop.train("run", with({"--resume"})));
  EXPECT_EQ(locked.status, 1);
  EXPECT_THAT(locked.said, HasSubstr("another worker"));
}

TEST(Train, ResumedBeforeItsFirstCheckpointStartsAgainAndSaysSo) {
  const Workshop shop;
  const RunDirectory calm{shop.out("calm")}, run{shop.out("run")};
  ASSERT_EQ(shop.run(shop.train("calm")).status, 0);
  ASSERT_EQ(signalled(shop, "run", SIGKILL).status, 128 + SIGKILL);
  const Outcome resumed = shop.run(shop.train("run", {"--resume"}));
  ASSERT_EQ(resumed.status, 0) << resumed.said;
  EXPECT_THAT(resumed.said, HasSubstr("no checkpoint to resume from"));
  expect_same_curve(calm, run);
}

TEST(Train, EndsWithFourWhenTheLossIsNoNumber) {
  const Workshop shop;
  const std::vector<std::string> wild{"--set", "train.optimizer.lr=1000"};
  const Outcome diverged = shop.run(shop.train("wild", wild));
  EXPECT_EQ(diverged.status, 4) << diverged.said;
  const auto status = storage::read_status({shop.out("wild")}).value();
  EXPECT_EQ(status.state, WorkerState::diverged);
  EXPECT_EQ(status.exit_code, 4);
  EXPECT_THAT(status.message, HasSubstr("diverged at step"));
  EXPECT_EQ(shop.run(shop.train("wild", {"--set", "train.optimizer.lr=1000", "--resume"})).status, 4);
}

TEST(Train, SplitIntoMicroBatchesGivesNearlyTheSameCurve) {
  const Workshop shop;
  ASSERT_EQ(shop.run(shop.train("whole", {"--micro-batch", "8"})).status, 0);
  ASSERT_EQ(shop.run(shop.train("split", {"--micro-batch", "3"})).status, 0);  // 3 + 3 + 2 sequences
  const auto whole = storage::read_run_record(RunDirectory{shop.out("whole")}.run_h5());
  const auto split = storage::read_run_record(RunDirectory{shop.out("split")}.run_h5());
  bool differs = false;
  for (size_t i = 0; i < 200; ++i) {
    EXPECT_NEAR(whole.steps[i].loss, split.steps[i].loss, (i < 20 ? 1e-5 : 1e-3) * whole.steps[i].loss) << "step " << i;
    differs = differs || whole.steps[i].loss != split.steps[i].loss;
  }
  EXPECT_TRUE(differs) << "the micro-batch changed nothing: was it used?";
}

}  // namespace
}  // namespace hyscale::parallel
