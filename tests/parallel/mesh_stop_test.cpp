// How the ranks of a 2 × 2 mesh end: asked to, killed, hung, or never all there.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <gmock/gmock.h>
#include <thread>

#include "core/base/error.h"
#include "core/base/files.h"
#include "parallel/mesh.h"
#include "storage/files/checkpoint.h"
#include "tests/parallel/worker_process.h"

namespace hyscale::parallel {
namespace {

using storage::RunDirectory;
using ::testing::HasSubstr;
using Seconds = std::chrono::duration<double>;
namespace fs = std::filesystem;

std::vector<std::string> for_ever(std::vector<std::string> more = {}) {
  more.insert(more.end(), {"--tp", "2", "--set", "train.tokens=51200000"});
  return more;
}

/// The status of a run, once a step of `attempt` behind `step` is done.
storage::RunStatus under_way(const RunDirectory& run, int attempt = 1, int64_t step = 0) {
  while (true) {
    const auto status = storage::read_status(run);
    if (status && status->attempt >= attempt && status->step > step) return *status;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

size_t times(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

class FourRanks : public ::testing::Test {
 protected:
  FourRanks() { launch_ranks(shop_, 4); }
  /// Starts or resumes the run and waits until it steps.
  pid_t train(int attempt, std::vector<std::string> more = {}) {
    const auto checkpoints = storage::list_checkpoints(run_);
    if (attempt > 1) more.emplace_back("--resume");
    const pid_t all = shop_.start(shop_.train("run", for_ever(more)));
    under_way(run_, attempt, checkpoints.empty() ? 0 : checkpoints.back());
    return all;
  }
  void expect_stopped(const std::string& why) {
    const auto status = storage::read_status(run_).value();
    EXPECT_EQ(status.state, storage::WorkerState::stopped);
    EXPECT_EQ(status.exit_code, 75);
    EXPECT_THAT(status.message, HasSubstr(why));
    EXPECT_EQ(storage::list_checkpoints(run_).back(), status.step);
  }
  Workshop shop_;
  RunDirectory run_{shop_.out("run")};
};

TEST_F(FourRanks, StopTogetherHoweverOneOfThemIsAsked) {
  pid_t all = train(1);
  ::kill(process_of(run_.path, 3), SIGUSR1);
  EXPECT_EQ(shop_.wait(all).status, 75);
  expect_stopped("a signal asked for it");
  all = train(2);
  ::kill(process_of(run_.path, 2), SIGTERM);
  EXPECT_EQ(shop_.wait(all).status, 75);
  expect_stopped("a signal asked for it");
  all = train(3);
  write_file_atomically(run_.stop_file(), "");
  EXPECT_EQ(shop_.wait(all).status, 75);
  expect_stopped("the stop file is there");
  all = train(4, {"--time-limit", "0.5"});
  EXPECT_EQ(shop_.wait(all).status, 75);
  expect_stopped("the time limit is reached");
}

TEST_F(FourRanks, AllEndWithinHalfAMinuteWhenAnyIsKilled) {
  for (const int victim : {1, 2}) {
    const pid_t all = train(victim);
    const auto begin = std::chrono::steady_clock::now();
    ::kill(process_of(run_.path, victim), SIGKILL);
    const Outcome outcome = shop_.wait(all);
    EXPECT_LT(Seconds(std::chrono::steady_clock::now() - begin).count(), 30);
    EXPECT_EQ(outcome.status, 128 + SIGKILL);
    EXPECT_THAT(outcome.said, HasSubstr("signal 9"));
  }
}

TEST_F(FourRanks, AllEndWithTheMessageOfTheOneThatFails) {
  const pid_t all = train(1, {"--checkpoint-every", "50"});
  fs::rename(run_.checkpoints(), run_.path + "/elsewhere");
  write_file_atomically(run_.checkpoints(), "no directory");
  const Outcome outcome = shop_.wait(all);
  EXPECT_EQ(outcome.status, 1) << outcome.said;
  EXPECT_EQ(times(outcome.said, "hybrid-worker: rank 0: cannot"), 1U) << outcome.said;
  const auto status = storage::read_status(run_).value();
  EXPECT_EQ(status.state, storage::WorkerState::failed);
  EXPECT_THAT(status.message, HasSubstr("cannot"));
}

TEST_F(FourRanks, AreEndedAndToldWhichOperationWaitsWhenOneIsStopped) {
  const pid_t all = train(1, {"--hang-limit", "2s"});
  const pid_t stopped = process_of(run_.path, 3);
  ::kill(stopped, SIGSTOP);
  const Outcome outcome = shop_.wait(all);  // would take for ever
  EXPECT_EQ(outcome.status, 1) << outcome.said;
  EXPECT_THAT(outcome.said, ::testing::ContainsRegex("rank [012] has waited 2 s in [a-z-]+ of (all 4 )?ranks"));
  const auto status = storage::read_status(run_).value();
  EXPECT_EQ(status.state, storage::WorkerState::failed);
  EXPECT_THAT(status.message, HasSubstr("has waited 2 s in"));
  while (process_of(run_.path, 3) != 0)  // the stopped one, too, is ended
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

TEST_F(FourRanks, AreTooFewWhenOneNeverBegins) {
  shop_.launcher[2] = "3";
  std::vector<std::string> words = shop_.train("run", for_ever({"--hang-limit", "3s"}));
  words.insert(words.end(), {":", "-n", "1", "sleep", "600"});
  const Outcome outcome = shop_.run(words);
  EXPECT_EQ(outcome.status, 2) << outcome.said;
  EXPECT_EQ(times(outcome.said, "has waited 3 s for all ranks to start"), 1U) << outcome.said;
  EXPECT_THAT(outcome.said, HasSubstr("rank 0 has waited"));
  EXPECT_FALSE(fs::exists(run_.path));
}

TEST_F(FourRanks, SayAMistypedCommandLineOnce) {
  const Outcome option = shop_.run(shop_.train("run", {"--tpp", "2"}));
  EXPECT_EQ(option.status, 2) << option.said;
  EXPECT_EQ(times(option.said, "--tpp"), 1U) << option.said;
  const Outcome value = shop_.run(shop_.train("run", {"--time-limit", "soon"}));
  EXPECT_EQ(value.status, 2) << value.said;
  EXPECT_EQ(times(value.said, "--time-limit soon is no span of time"), 1U) << value.said;
}

TEST(RanksOfOneModel, MustBeOnOneHost) {
  const Mesh mesh{.dp = 2, .tp = 2};
  EXPECT_NO_THROW(check_on_one_host(mesh, {0, 0, 2, 2}));
  EXPECT_NO_THROW(check_on_one_host({.dp = 4, .tp = 1}, {0, 1, 2, 3}));
  try {
    check_on_one_host(mesh, {0, 0, 0, 3});
    FAIL() << "ranks 2 and 3 are on two hosts";
  } catch (const ConfigError& e) {
    EXPECT_THAT(e.what(), HasSubstr("ranks 2 to 3 share a model, but rank 3 is on another host than rank 2"));
  }
}

}  // namespace
}  // namespace hyscale::parallel
