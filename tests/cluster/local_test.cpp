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

namespace hyscale::cluster {
namespace {

class LocalBackendTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/hyscale-jobs-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    root_ = name;
  }
  void TearDown() override {
    for (const JobHandle& job : jobs_) backend_.cancel(job, Backend::Cancel::kill);
    for (const JobHandle& job : jobs_) ended(job);
    std::filesystem::remove_all(root_);
  }

  Job shell(const std::string& script) {
    return {.directory = root_ + "/job " + std::to_string(jobs_.size()), .argv = {"/bin/sh", "-c", script}};
  }
  JobHandle launched(const std::string& script) {
    const Job job = shell(script);
    jobs_.push_back(backend_.reserve(job));
    backend_.launch(job, jobs_.back());
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
  JobProcesses processes_of(const JobHandle& job) {
    for (int i = 0; i < 500; ++i) {
      if (const auto found = read_processes({job.id})) return *found;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "the keeper did not start the worker";
    return {};
  }

  std::string root_;
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
  backend_.launch(job, handle);
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
  backend_.launch(job, handle);
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
  backend_.cancel(job, Backend::Cancel::kill);
  EXPECT_EQ(ended(job).state, JobState::gone);
}

TEST_F(LocalBackendTest, LetsAWorkerEndInItsOwnWayWhenAsked) {
  const JobHandle job = launched("trap 'exit 75' TERM; while :; do sleep 0.01; done");
  processes_of(job);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // for the shell to set its trap
  backend_.cancel(job, Backend::Cancel::ask);
  const JobStatus status = ended(job);
  EXPECT_EQ(status.state, JobState::ended);
  EXPECT_EQ(status.exit_code, 75);
}

TEST_F(LocalBackendTest, KillsAWorkerTogetherWithItsChildren) {
  const JobHandle job = launched("sleep 61 & sleep 62");
  processes_of(job);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  backend_.cancel(job, Backend::Cancel::kill);
  EXPECT_EQ(ended(job).state, JobState::gone) << "the lock is free only when every process of the job is gone";
}

TEST_F(LocalBackendTest, LeavesJobsRunningWhenItsProcessIsKilled) {
  const Job job = shell("sleep 0.3; exit 7");
  const JobHandle handle{.backend = "local", .host = host_name(), .id = job.directory};
  jobs_.push_back(handle);
  const pid_t child = ::fork();
  if (child == 0) {
    LocalBackend mine({program_path(), "keep"});
    mine.launch(job, mine.reserve(job));
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(backend_.poll(handle).state, JobState::running);
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
