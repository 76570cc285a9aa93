#include "cluster/gpu_lease.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/files.h"
#include "tests/support/scratch.h"

namespace hyscale::cluster {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Jobs that note their GPUs and stay until they are told to go.
class GpuLeaseTest : public testing::Test {
 protected:
  void SetUp() override { ::setenv("HYSCALE_GPU_LEASES", (scratch_ / "leases").c_str(), 1); }
  void TearDown() override {
    for (const pid_t job : jobs_) ::kill(job, SIGKILL), ::waitpid(job, nullptr, 0);
    ::unsetenv("HYSCALE_GPU_LEASES");
  }
  /// Starts a job; it writes its CUDA_VISIBLE_DEVICES once it has its GPUs.
  size_t start(const GpuRequest& request) {
    const std::string note = note_of(jobs_.size());
    auto arguments = holding_gpus(request);
    arguments.erase(arguments.begin());
    const std::vector<std::string> job{
        "/bin/sh", "-c", "printf '%s' \"$CUDA_VISIBLE_DEVICES\" >\"$0.new\"; mv \"$0.new\" \"$0\"; exec sleep 600",
        note};
    arguments.insert(arguments.end(), job.begin(), job.end());
    const pid_t child = ::fork();
    if (child == 0) std::_Exit(hold_gpus(arguments));
    jobs_.push_back(child);
    return jobs_.size() - 1;
  }
  void end(size_t job) { ::kill(jobs_[job], SIGKILL), ::waitpid(jobs_[job], nullptr, 0); }
  std::string note_of(size_t job) const { return scratch_ / ("note-" + std::to_string(job)); }
  bool has_begun(size_t job) const { return std::filesystem::exists(note_of(job)); }
  std::string gpus_of(size_t job) {
    for (int i = 0; i < 3000 && !has_begun(job); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return has_begun(job) ? read_file(note_of(job)) : "it has not begun";
  }

  tests::ScratchDirectory scratch_;
  std::vector<pid_t> jobs_;
};

TEST_F(GpuLeaseTest, GivesEachRunAGpuOfItsOwnAndTheNextOneWhatBecomesFree) {
  const GpuRequest request{.of = {"a", "b"}};
  const size_t first = start(request), second = start(request);
  EXPECT_EQ((std::set<std::string>{gpus_of(first), gpus_of(second)}), (std::set<std::string>{"a", "b"}));
  const size_t third = start(request);
  const std::string freed = gpus_of(second);
  EXPECT_FALSE(has_begun(third));
  end(second);
  EXPECT_EQ(gpus_of(third), freed);
}

TEST_F(GpuLeaseTest, SpreadsRunsThatShareAndTakesNoMoreOnAGpuThanAllowed) {
  const GpuRequest request{.share = 2, .of = {"a", "b"}};
  std::multiset<std::string> used;
  for (int i = 0; i < 4; ++i) {
    used.insert(gpus_of(start(request)));
    if (i == 1) {
      EXPECT_EQ(used, (std::multiset<std::string>{"a", "b"})) << "the emptiest comes first";
    }
  }
  EXPECT_EQ(used, (std::multiset<std::string>{"a", "a", "b", "b"}));
  const size_t fifth = start(request);
  end(0);
  EXPECT_NE(gpus_of(fifth), "it has not begun");
}

TEST_F(GpuLeaseTest, KeepsARunThatWantsAGpuAloneApartFromRunsThatShare) {
  const size_t sharing = start({.share = 4, .of = {"a"}});
  EXPECT_EQ(gpus_of(sharing), "a");
  const size_t alone = start({.of = {"a"}});
  const size_t elsewhere = start({.of = {"a", "b"}});
  EXPECT_EQ(gpus_of(elsewhere), "b");
  EXPECT_FALSE(has_begun(alone));
  end(sharing);
  EXPECT_EQ(gpus_of(alone), "a");
}

TEST_F(GpuLeaseTest, GivesSeveralGpusAtOnceAndNeverHoldsSomeWhileItWaits) {
  const size_t one = start({.of = {"a", "b"}});
  gpus_of(one);
  const size_t pair = start({.count = 2, .of = {"a", "b"}}), other_pair = start({.count = 2, .of = {"a", "b"}});
  const size_t small = start({.of = {"a", "b"}});
  EXPECT_NE(gpus_of(small), "it has not begun") << "a waiting pair must not hold the free GPU";
  EXPECT_FALSE(has_begun(pair) || has_begun(other_pair));
  end(one);
  end(small);
  for (int i = 0; i < 3000 && !has_begun(pair) && !has_begun(other_pair); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const size_t winner = has_begun(pair) ? pair : other_pair;
  EXPECT_EQ(gpus_of(winner), "a,b");
  EXPECT_FALSE(has_begun(winner == pair ? other_pair : pair));
}

TEST_F(GpuLeaseTest, SaysWhatIsWrongWithARequestThatCanNeverBeMet) {
  EXPECT_THROW(hold_gpus({"2", "1", "a", "--", "/bin/true"}), ConfigError);
  EXPECT_THROW(hold_gpus({"1", "1", "a"}), ConfigError);
}

TEST(FindGpus, ReadsWhatNvidiaSmiLists) {
  EXPECT_THAT(parse_gpu_list("GPU 0: NVIDIA H200 (UUID: GPU-1f2e)\n"
                             "  MIG 1g.18gb Device 0: (UUID: MIG-77)\n"
                             "GPU 1: NVIDIA H200 (UUID: GPU-3d4c)\n"),
              ElementsAre("GPU-1f2e", "GPU-3d4c"));
  EXPECT_THAT(parse_gpu_list("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"),
              IsEmpty());
}

TEST(FindGpus, KeepsToTheGpusThatTheEnvironmentNames) {
  ::setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5", 1);
  EXPECT_THAT(find_gpus(), ElementsAre("3", "GPU-5"));
  ::setenv("CUDA_VISIBLE_DEVICES", "", 1);
  EXPECT_THAT(find_gpus(), IsEmpty());
  ::unsetenv("CUDA_VISIBLE_DEVICES");
}

}  // namespace
}  // namespace hyscale::cluster
