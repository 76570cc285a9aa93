#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "cluster/job_files.h"
#include "cluster/slurm.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::cluster {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;

class StillClock : public Clock {
 public:
  double unix_seconds() const override { return now; }
  double steady_seconds() const override { return now; }
  void sleep(double seconds) const override { now += seconds; }
  mutable double now = 2e9;
};

/// What the commands of a Slurm say. It knows the arrays that it has taken and what has become of their tasks.
class FakeSlurm {
 public:
  CommandOutput operator()(const std::vector<std::string>& argv) {
    calls.push_back(argv[0]);
    if (argv[0] == "sacct") sacct_asked = argv;
    if (argv[0] == "scontrol" && argv[1] == "release") released.insert(released.end(), argv.begin() + 2, argv.end());
    if (argv[0] == "scontrol") return config();
    if (argv[0] == "sbatch") return take(argv);
    if (argv[0] == "squeue") return queue_answers ? CommandOutput{.out = queue} : CommandOutput{.exit_code = 1};
    if (argv[0] == "sacct") return sacct_answers ? CommandOutput{.out = accounts} : CommandOutput{.exit_code = 1};
    if (argv[0] == "scancel") cancelled.insert(cancelled.end(), argv.begin() + 1, argv.end());
    return {};
  }
  int asked(const std::string& program) const {
    return static_cast<int>(std::count(calls.begin(), calls.end(), program));
  }
  std::string name_of(int64_t job) const { return fs::path(scripts.at(job)).parent_path().filename(); }
  std::string line(int64_t job, int64_t task, const std::string& state, const std::string& reason = "None") const {
    return fmt::format("{}|{}|{}|2026-11-24T00:00:00|{}|{}\n", job, task, state, name_of(job), reason);
  }

  bool accounting = false, queue_answers = true, sacct_answers = true;
  std::string queue, accounts;
  std::string boot = "2026-11-24T00:00:00";
  CommandOutput answer = {};  // of sbatch, in place of the id, when it says anything
  bool takes = true;
  std::vector<std::string> sacct_asked, calls, cancelled, released, dependencies;
  std::map<int64_t, std::string> scripts;

 private:
  CommandOutput config() const {
    return {.out = fmt::format("ClusterName = fake\nMaxArraySize = 1001\nBOOT_TIME = {}\n"
                               "AccountingStorageType = accounting_storage/{}\n",
                               boot, accounting ? "slurmdbd" : "none")};
  }
  CommandOutput take(const std::vector<std::string>& argv) {
    for (const std::string& word : argv)
      if (word.starts_with("--dependency=")) dependencies.push_back(word.substr(13));
    const auto id = static_cast<int64_t>(scripts.size()) + 1;
    if (takes) scripts[id] = argv.back();
    if (answer.exit_code != 0 || !answer.out.empty()) return answer;
    return {.out = std::to_string(id) + "\n"};
  }
};

class SlurmBackendTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/dev/shm/hyscale-slurm-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    store_ = name;
  }
  void TearDown() override { fs::remove_all(store_); }

  /// A new one, as in the next command.
  SlurmBackend backend() {
    return SlurmBackend(
        {.label = "s", .directory = store_ + "/slurm", .keeper = {"/bin/study", "keep-task"}},
        [this](const auto& argv, const CommandOptions&) { return slurm_(argv); }, clock_);
  }
  Job job(const std::string& name, const std::string& after = "") {
    return {.directory = store_ + "/" + name, .argv = {"worker"}, .after = after.empty() ? "" : store_ + "/" + after};
  }
  JobHandle handle(const std::string& name) { return {"slurm", "fake", store_ + "/" + name}; }
  std::vector<JobHandle> launch(const std::vector<Job>& jobs) {
    SlurmBackend slurm = backend();
    std::vector<Reservation> reserved;
    for (const Job& j : jobs) reserved.push_back({j, slurm.reserve(j)});
    return slurm.launch(reserved);
  }
  JobStatus status(const std::string& name) {
    SlurmBackend slurm = backend();
    slurm.refresh({handle(name)});
    return slurm.poll(handle(name));
  }

  std::string store_;
  FakeSlurm slurm_;
  StillClock clock_;
};

TEST_F(SlurmBackendTest, PutsBranchesBehindTheirTrunksAndTellsTasksApart) {
  EXPECT_TRUE(launch({job("t"), job("b", "t")}).empty());
  EXPECT_THAT(slurm_.dependencies, Contains("aftercorr:1"));
  slurm_.queue = slurm_.line(1, 0, "RUNNING") + slurm_.line(2, 0, "PENDING", "Dependency");
  EXPECT_EQ(status("t").state, JobState::running);
  EXPECT_EQ(status("b").state, JobState::queued);
  EXPECT_EQ(status("b").message, "Dependency");
}

TEST_F(SlurmBackendTest, NeverSubmitsTwiceWhenTheAnswerOfSbatchIsLost) {
  for (const CommandOutput& lost : {CommandOutput{.exit_code = 124},
                                    {.exit_code = 1,
                                    .err = "sbatch: error: Batch job submission failed: Socket timed "
                                           "out on send/recv operation\n"}}) {
    slurm_.answer = lost;
    slurm_.queue.clear();
    const std::string name = fmt::format("j{}", slurm_.scripts.size());
    EXPECT_TRUE(launch({job(name)}).empty()) << "it counts as launched";
    EXPECT_EQ(status(name).state, JobState::queued);
    const auto id = static_cast<int64_t>(slurm_.scripts.size());
    slurm_.queue = slurm_.line(id, 0, "RUNNING");
    EXPECT_EQ(status(name).state, JobState::running) << "found by the array's name";
    slurm_.queue.clear();
    clock_.now += 30;
    EXPECT_EQ(status(name).state, JobState::queued) << "its id has been written down";
  }
}

TEST_F(SlurmBackendTest, GivesUpAnUnansweredSubmissionAfterMinutesAndKeepsItFromStartingLater) {
  slurm_.answer = {.exit_code = 124};
  slurm_.takes = false;
  launch({job("j")});
  clock_.now += 200;
  EXPECT_EQ(status("j").state, JobState::queued);
  clock_.now += 200;
  EXPECT_EQ(status("j").cause, EndCause::not_begun);
  EXPECT_TRUE(fs::exists(JobFiles{store_ + "/j"}.revoked()));
}

TEST_F(SlurmBackendTest, SaysSlurmsWordsWhenTheFirstArrayIsRefused) {
  slurm_.answer = {.exit_code = 1, .err = "sbatch: error: invalid partition specified: gpuu\n"};
  try {
    launch({job("j")});
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("invalid partition specified: gpuu"));
  }
}

TEST_F(SlurmBackendTest, ConcludesNothingWhileSqueueOrSacctIsAway) {
  launch({job("j")});
  clock_.now += 1e5;
  slurm_.queue_answers = false;
  EXPECT_EQ(status("j").state, JobState::unknown);
  slurm_.queue_answers = true, slurm_.accounting = true, slurm_.sacct_answers = false;
  EXPECT_EQ(status("j").state, JobState::unknown);
  slurm_.sacct_answers = true;
  slurm_.accounts = fmt::format("1_0|CANCELLED by 0|2026-11-24T00:00:00|{}|None|0:0\n", slurm_.name_of(1));
  EXPECT_EQ(status("j").cause, EndCause::cancelled_outside);
  EXPECT_THAT(slurm_.sacct_asked, Contains("--jobs=1"))
      << "by name sacct hides what was cancelled before it could start";
}

TEST_F(SlurmBackendTest, NeverAsksSacctWhereAccountingIsOff) {
  launch({job("j")});
  clock_.now += 1e5;
  EXPECT_EQ(status("j").state, JobState::ended);
  EXPECT_EQ(slurm_.asked("sacct"), 0);
}

TEST_F(SlurmBackendTest, TakesATaskThatItsControllerHasForgottenForCancelledUnlessTheControllerDied) {
  launch({job("j")});
  clock_.now += 1e5;
  EXPECT_EQ(status("j").cause, EndCause::cancelled_outside) << "a controller that lives loses nothing";
  fs::remove(JobFiles{store_ + "/j"}.revoked());
  slurm_.boot = "2026-11-25T00:00:00";
  EXPECT_EQ(status("j").cause, EndCause::vanished);
}

TEST_F(SlurmBackendTest, RemembersWhichControllerHadAnArray) {
  launch({job("j")});
  slurm_.boot = "2026-11-25T00:00:00";
  slurm_.queue = slurm_.line(1, 0, "PENDING");
  EXPECT_EQ(status("j").state, JobState::queued);
  clock_.now += 1e5;
  slurm_.queue.clear();
  EXPECT_EQ(status("j").cause, EndCause::cancelled_outside) << "it has read the array from its saved state";
}

TEST_F(SlurmBackendTest, LooksAwayFromAJobThatWasGivenTheIdOfALostOne) {
  launch({job("j")});
  clock_.now += 1e5;
  slurm_.boot = "2026-11-25T00:00:00";
  slurm_.queue = "1|0|RUNNING|2026-11-25T00:00:00|of-somebody-else|None\n";
  EXPECT_EQ(status("j").cause, EndCause::vanished);
}

TEST_F(SlurmBackendTest, TellsByTheOthersOfAnArrayWhetherATaskWasCancelledOrLost) {
  launch({job("j"), job("k"), job("l")});
  clock_.now += 1e5;
  slurm_.boot = "2026-11-25T00:00:00", slurm_.accounting = true;
  const auto accounts = [&](const std::string& task, const std::string& state) {
    return fmt::format("1_{}|{}|2026-11-24T00:00:00|{}|None|0:0\n", task, state, slurm_.name_of(1));
  };
  slurm_.accounts = accounts("0", "COMPLETED") + accounts("[2]", "PENDING");
  EXPECT_EQ(status("k").cause, EndCause::cancelled_outside) << "the array's record knows it no longer";
  EXPECT_EQ(status("l").cause, EndCause::vanished) << "the record still counts it in, the queue has lost it";
  for (const char* name : {"k", "l"}) fs::remove(JobFiles{store_ + "/" + name}.revoked());
  slurm_.accounts = accounts("[0-2]", "PENDING");
  EXPECT_EQ(status("k").cause, EndCause::vanished) << "the queue has lost them all";
  fs::remove(JobFiles{store_ + "/k"}.revoked());
  slurm_.queue = slurm_.line(1, 0, "RUNNING"), slurm_.accounts.clear();
  EXPECT_EQ(status("k").cause, EndCause::cancelled_outside) << "a controller that has the array has all of it";
}

TEST_F(SlurmBackendTest, AsksSlurmOnceForAllJobs) {
  std::vector<Job> jobs;
  std::vector<JobHandle> handles;
  for (int i = 0; i < 50; ++i) {
    jobs.push_back(job(fmt::format("j{}", i)));
    handles.push_back(handle(fmt::format("j{}", i)));
  }
  launch(jobs);
  EXPECT_EQ(slurm_.asked("sbatch"), 1);
  SlurmBackend slurm = backend();
  slurm.refresh(handles);
  for (const JobHandle& h : handles) slurm.poll(h);
  EXPECT_EQ(slurm_.asked("squeue"), 1);
}

TEST_F(SlurmBackendTest, LooksAwayFromJobsOfAnotherCluster) {
  launch({job("j")});
  clock_.now += 1e5;
  SlurmBackend slurm = backend();
  const JobHandle elsewhere{"slurm", "other", store_ + "/j"};
  slurm.refresh({elsewhere});
  EXPECT_EQ(slurm.poll(elsewhere).state, JobState::unknown);
}

TEST_F(SlurmBackendTest, CancelsATaskOnlyWhenAllItsRunsAreToEnd) {
  SlurmBackend slurm(
      {.label = "s", .directory = store_ + "/slurm", .keeper = {"k"}, .pack = 2},
      [this](const auto& argv, const CommandOptions&) { return slurm_(argv); }, clock_);
  std::vector<Reservation> reserved;
  for (const char* name : {"a", "b"}) reserved.push_back({job(name), slurm.reserve(job(name))});
  slurm.launch(reserved);
  slurm.cancel({handle("a")}, Backend::Cancel::ask);
  EXPECT_TRUE(slurm_.cancelled.empty());
  EXPECT_TRUE(fs::exists(JobFiles{store_ + "/a"}.revoked())) << "its keeper reads it";
  slurm.cancel({handle("b")}, Backend::Cancel::ask);
  EXPECT_THAT(slurm_.cancelled, Contains("1_0"));
}

TEST_F(SlurmBackendTest, FreesTasksThatAControllerHoldsAfterItsOwnDeath) {
  launch({job("over"), job("died"), job("runs"), job("terminated")});
  write_end({store_ + "/over"}, {.exit_code = 0});
  write_end({store_ + "/terminated"}, {.exit_code = 75});
  replace_file(JobFiles{store_ + "/terminated"}.terminated(), "");
  const Descriptor alive = take_lock(JobFiles{store_ + "/runs"}.lock());
  for (const int64_t task : {0, 1, 2, 3})
    slurm_.queue += slurm_.line(1, task, "PENDING", "launch failed requeued held");
  status("runs");
  EXPECT_THAT(slurm_.cancelled, testing::ElementsAre("--quiet", "1_0"));
  EXPECT_THAT(slurm_.released, testing::ElementsAre("1_1", "1_3"));
}

TEST_F(SlurmBackendTest, AsksSacctWhoEndedAWorkerThatLeftBecauseItWasTold) {
  slurm_.accounting = true;
  launch({job("preempted")});
  write_end({store_ + "/preempted"}, {.exit_code = 75});
  replace_file(JobFiles{store_ + "/preempted"}.terminated(), "");
  slurm_.accounts = "1_0|PREEMPTED|2026-11-24T00:00:00|" + slurm_.name_of(1) + "|None|0:15\n";
  EXPECT_EQ(status("preempted").cause, EndCause::preempted) << "nobody has cancelled it";
}

TEST_F(SlurmBackendTest, KnowsAfterTheDeathOfASubmitterThatAFollowUpIsDue) {
  EXPECT_FALSE(backend().is_follow_up_due());
  launch({job("j")});
  EXPECT_TRUE(backend().is_follow_up_due()) << "whoever launched may have died here";
  backend().follow_up({.argv = {"analyze"}});
  EXPECT_FALSE(backend().is_follow_up_due());
  launch({job("k")});
  backend().withdraw_follow_up();
  EXPECT_FALSE(backend().is_follow_up_due());
  slurm_.answer = {.exit_code = 1, .err = "sbatch: error: invalid partition specified: gpuu\n"};
  EXPECT_THROW(launch({job("l")}), ConfigError);
  EXPECT_FALSE(backend().is_follow_up_due()) << "nothing was submitted";
}

TEST_F(SlurmBackendTest, TakesTasksOutOfTheQueueAtTheEndThatAControllerCountsAsWaitingStill) {
  launch({job("over"), job("waits")});
  write_end({store_ + "/over"}, {.exit_code = 0});
  slurm_.queue = slurm_.line(1, 0, "PENDING") + slurm_.line(1, 1, "PENDING");
  SlurmBackend slurm = backend();
  slurm.refresh({handle("over"), handle("waits")});
  EXPECT_TRUE(slurm_.cancelled.empty()) << "a branch may wait for it to succeed";
  slurm.clear_queue();
  EXPECT_THAT(slurm_.cancelled, testing::ElementsAre("--quiet", "1_0"));
}

TEST_F(SlurmBackendTest, PutsAJobBehindAllArraysAndReplacesTheOneBefore) {
  launch({job("a")});
  launch({job("b")});
  slurm_.queue =
      slurm_.line(1, 0, "COMPLETED") + slurm_.line(2, 0, "RUNNING") + "9|0|RUNNING|N/A|hyscale-s-2-00000000|None\n";
  SlurmBackend slurm = backend();
  slurm.follow_up({.argv = {"/bin/analyze", "report"}});
  EXPECT_EQ(slurm_.dependencies.back(), "afterany:2") << "neither what has ended nor another study's";
  EXPECT_TRUE(slurm_.cancelled.empty());
  slurm.follow_up({.argv = {"/bin/analyze", "report"}});
  EXPECT_THAT(slurm_.cancelled, testing::ElementsAre("--quiet", "--state=PENDING", "3"));
}

}  // namespace
}  // namespace hyscale::cluster
