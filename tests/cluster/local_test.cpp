#include "cluster/local.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "cluster/job_files.h"
#include "cluster/keeper.h"
#include "core/base/files.h"
#include "tests/support/scratch.h"

namespace hyscale::cluster {
namespace {

class LocalBackendTest : public testing::Test {
 protected:
  void TearDown() override {
    for (const JobHandle& job : jobs_) backend_.cancel({job}, Backend::Cancel::kill);
    for (const JobHandle& job : jobs_) ended(job);
  }

  Job shell(const std::string& script) {
    return {.directory = root_ + "/job " + std::to_string(jobs_.size()), .argv = {"/bin/sh", "-c", script}};
  }
  JobHandle launched(const std::string& script) {
    const Job job = shell(script);
    jobs_.push_back(backend_.reserve(job));
    backend_.launch({{job, jobs_.back()}});
    return jobs_.back();
  }
  /// Waits until the job runs no more.
  JobStatus ended(const JobHandle& job) {
    for (int i = 0; i < 500; ++i) {
      const JobStatus status = backend_.poll(job);
      if (status.state != JobState::running) return status;
      backend_.wait({job}, 0.1);
    }
    return {.state = JobState::running};
  }
  template <class Condition>
  static void wait_until(Condition condition, const char* what) {
    for (int i = 0; i < 3000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_TRUE(condition()) << what;
  }
  JobProcesses processes_of(const JobHandle& job) {
    wait_until([&] { return read_processes({job.id}).has_value(); }, "the keeper did not start the worker");
    return read_processes({job.id}).value_or(JobProcesses{});
  }
  /// A worker says by a file that it has come to a place, or waits for one.
  std::string mark() const { return root_ + "/mark"; }
  void wait_for_mark() const {
    wait_until([&] { return std::filesystem::exists(mark()); }, "the worker did not come so far");
  }

  tests::ScratchDirectory scratch_;
  const std::string& root_ = scratch_.path();
  LocalBackend backend_{{program_path(), "keep"}};
  std::vector<JobHandle> jobs_;
};

TEST_F(LocalBackendTest, ReportsTheExitCode) {
  for (const int code : {0, 2, 75}) {
    const JobStatus status = ended(launched("exit " + std::to_string(code)));
    EXPECT_EQ(status.state, JobState::ended);
    EXPECT_EQ(status.exit_code, code);
    EXPECT_EQ(status.signal, 0);
  }
}

TEST_F(LocalBackendTest, HandsArgumentsOnUnread) {
  Job job = shell("");
  job.argv = {"/bin/echo", "a b", "$HOME", "'; touch /tmp/x", "\""};
  const JobHandle handle = backend_.reserve(job);
  jobs_.push_back(handle);
  backend_.launch({{job, handle}});
  EXPECT_EQ(ended(handle).exit_code, 0);
  EXPECT_EQ(read_file(JobFiles{handle.id}.output()), "a b $HOME '; touch /tmp/x \"\n");
}

TEST_F(LocalBackendTest, ReportsTheSignalThatKilledAWorker) {
  const JobHandle job = launched("sleep 60");
  ::kill(static_cast<pid_t>(processes_of(job).worker.pid), SIGKILL);
  const JobStatus status = ended(job);
  EXPECT_EQ(status.state, JobState::ended);
  EXPECT_EQ(status.signal, SIGKILL);
}

TEST_F(LocalBackendTest, ReportsAProgramThatIsNotThere) {
  Job job = shell("");
  job.argv = {"/nowhere/worker"};
  const JobHandle handle = backend_.reserve(job);
  backend_.launch({{job, handle}});
  EXPECT_EQ(ended(handle).exit_code, 127);
  EXPECT_NE(read_file(JobFiles{handle.id}.output()).find("/nowhere/worker"), std::string::npos);
}

TEST_F(LocalBackendTest, CallsAJobGoneThatWasReservedAndNeverLaunched) {
  JobHandle job;
  {
    LocalBackend killed({program_path(), "keep"});
    job = killed.reserve(shell(""));
    EXPECT_EQ(backend_.poll(job).state, JobState::running) << "it may be launched at any moment";
  }
  EXPECT_EQ(backend_.poll(job).state, JobState::gone);
}

TEST_F(LocalBackendTest, KeepsAJobRunningWhoseKeeperWasKilled) {
  const JobHandle job = launched("sleep 60");
  const JobProcesses processes = processes_of(job);
  ::kill(static_cast<pid_t>(processes.keeper.pid), SIGKILL);
  while (is_alive(processes.keeper)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(backend_.poll(job).state, JobState::running) << "the worker still trains";
  backend_.cancel({job}, Backend::Cancel::kill);
  EXPECT_EQ(ended(job).state, JobState::gone);
}

TEST_F(LocalBackendTest, LetsAWorkerEndInItsOwnWayWhenAsked) {
  const JobHandle job = launched("trap 'exit 75' TERM; touch " + mark() + "; while :; do sleep 0.01; done");
  processes_of(job);
  wait_for_mark();  // the trap is set
  backend_.cancel({job}, Backend::Cancel::ask);
  const JobStatus status = ended(job);
  EXPECT_EQ(status.state, JobState::ended);
  EXPECT_EQ(status.exit_code, 75);
}

TEST_F(LocalBackendTest, KillsAWorkerTogetherWithItsChildren) {
  const JobHandle job = launched("sleep 61 & touch " + mark() + "; sleep 62");
  processes_of(job);
  wait_for_mark();
  backend_.cancel({job}, Backend::Cancel::kill);
  EXPECT_EQ(ended(job).state, JobState::gone) << "the lock is free only when every process of the job is gone";
}

TEST_F(LocalBackendTest, LeavesJobsRunningWhenItsProcessIsKilled) {
  const Job job = shell("while [ ! -e " + mark() + " ]; do sleep 0.01; done; exit 7");
  const JobHandle handle{.backend = "local", .host = host_name(), .id = job.directory};
  jobs_.push_back(handle);
  const pid_t child = ::fork();
  if (child == 0) {
    LocalBackend mine({program_path(), "keep"});
    mine.launch({{job, mine.reserve(job)}});
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(backend_.poll(handle).state, JobState::running);
  write_file_atomically(mark(), "");
  EXPECT_EQ(ended(handle).exit_code, 7);
}

TEST_F(LocalBackendTest, SaysNothingAboutJobsOfAnotherHost) {
  JobHandle job = launched("exit 0");
  ended(job);
  job.host = "elsewhere";
  EXPECT_EQ(backend_.poll(job).state, JobState::unknown);
}

TEST(ProcessIdentity, IsNotFooledByAnotherProcessOfTheSameNumber) {
  ProcessIdentity self = this_process();
  EXPECT_TRUE(is_alive(self));
  self.start -= 1;
  EXPECT_FALSE(is_alive(self));
}

}  // namespace
}  // namespace hyscale::cluster

/// The keeper is this very program, as in `study`.
int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "keep") return hyscale::cluster::keep_job(argv[2]);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
