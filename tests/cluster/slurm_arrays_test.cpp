#include "cluster/slurm_arrays.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/slurm_script.h"
#include "core/base/error.h"

namespace hyscale::cluster {
namespace {

Job job(const std::string& name, const std::string& after = "") { return {.directory = name, .after = after}; }

TEST(SlurmArrays, GiveABranchTheIndexOfItsTrunkInAnArrayBehindIts) {
  const auto plans = plan_arrays({job("t0"), job("t1"), job("b0", "t0"), job("b1", "t1"), job("c1", "t1")}, {}, {});
  ASSERT_EQ(plans.arrays.size(), 3u);
  EXPECT_EQ(plans.arrays[1].after_plan, 0);
  EXPECT_EQ(plans.arrays[1].tasks, (std::map<int64_t, std::vector<size_t>>{{0, {2}}, {1, {3}}}));
  EXPECT_EQ(plans.arrays[2].tasks, (std::map<int64_t, std::vector<size_t>>{{1, {4}}}));
}

TEST(SlurmArrays, FollowATrunkThatIsWithSlurmAlreadyAndLeaveOutOneThatNobodyKnows) {
  const auto plans = plan_arrays({job("b", "old"), job("c", "nowhere")}, {{"old", {12, 5}}}, {});
  ASSERT_EQ(plans.arrays.size(), 1u);
  EXPECT_EQ(plans.arrays[0].after_job, 12);
  EXPECT_TRUE(plans.arrays[0].tasks.contains(5));
  EXPECT_EQ(plans.without_trunk, std::vector<size_t>{1});
}

TEST(SlurmArrays, AreSplitByShapeAndAtTheLargestIndex) {
  std::vector<Job> jobs;
  for (int i = 0; i < 7; ++i) jobs.push_back(job("j" + std::to_string(i)));
  jobs[6].shape.gpus = 2;
  const auto plans = plan_arrays(jobs, {}, {.max_array_size = 4});
  ASSERT_EQ(plans.arrays.size(), 3u);
  EXPECT_EQ(plans.arrays[0].tasks.size(), 4u);
  EXPECT_EQ(plans.arrays[0].tasks.rbegin()->first, 3);
  EXPECT_EQ(plans.arrays[1].tasks.size(), 2u);
  EXPECT_EQ(plans.arrays[2].shape.gpus, 2);
}

TEST(SlurmArrays, PackSeveralJobsIntoATask) {
  const auto plans = plan_arrays({job("a"), job("b"), job("c")}, {}, {.jobs_per_task = 2});
  ASSERT_EQ(plans.arrays.size(), 1u);
  EXPECT_EQ(plans.arrays[0].tasks, (std::map<int64_t, std::vector<size_t>>{{0, {0, 1}}, {1, {2}}}));
}

TEST(SlurmArrays, NeverRunMoreTasksThanTheCeilingTogether) {
  for (const int64_t ceiling : {1, 2, 5, 64}) {
    std::vector<ArrayPlan> arrays(4);
    for (int64_t a = 0; a < 4; ++a)
      for (int64_t i = 0; i <= 10 * a; ++i) arrays[static_cast<size_t>(a)].tasks[i] = {0};
    set_throttles(arrays, ceiling);
    int64_t together = 0;
    for (const ArrayPlan& array : arrays)
      if (array.behind.empty()) together += array.throttle;
    EXPECT_EQ(together, ceiling);
    for (const ArrayPlan& array : arrays) EXPECT_GE(array.throttle, 1);
  }
}

TEST(SlurmArrays, HaveWhatEarlierOnesLeaveOfTheCeilingOrWaitForThem) {
  const auto set = [](int64_t tasks, int64_t ceiling, int64_t taken) {
    std::vector<ArrayPlan> arrays(1);
    for (int64_t i = 0; i < tasks; ++i) arrays[0].tasks[i] = {0};
    set_throttles(arrays, ceiling, taken);
    return arrays[0];
  };
  EXPECT_EQ(set(100, 10, 4).throttle, 6);
  EXPECT_FALSE(set(100, 10, 4).behind_earlier);
  EXPECT_EQ(set(2, 10, 8).throttle, 2);  // room for all of it
  EXPECT_FALSE(set(2, 10, 8).behind_earlier);
  EXPECT_EQ(set(100, 10, 8).throttle, 10);
  EXPECT_TRUE(set(100, 10, 8).behind_earlier);
  EXPECT_TRUE(set(1, 10, 12).behind_earlier);
  EXPECT_FALSE(set(100, 0, 12).behind_earlier);  // no ceiling
}

TEST(SlurmScript, HoldsWhatWasAskedForAndEndsInTheKeeper) {
  ArrayPlan array{.tasks = {{0, {0}}, {1, {1}}}, .throttle = 2};
  const SlurmOptions options{.keeper = {"/bin/study", "keep-task"},
                             .partition = "gpu",
                             .seconds = 7200,
                             .signal_seconds = 300,
                             .extra = {"--mem=8G"},
                             .modules = {"openmpi/4.1"},
                             .prologue = {"ulimit -c 0"}};
  const std::string script = slurm_script(options, {"/store/jobs/slurm/hyscale-s-1"}, array);
  for (const char* line : {"#SBATCH --job-name=hyscale-s-1\n", "#SBATCH --array=0-1%2\n", "#SBATCH --partition=gpu\n",
                           "#SBATCH --time=02:00:00\n", "#SBATCH --signal=B:USR1@300\n", "#SBATCH --mem=8G\n",
                           "#SBATCH --requeue\n", "module load 'openmpi/4.1'\n", "ulimit -c 0\n",
                           "exec '/bin/study' 'keep-task' '/store/jobs/slurm/hyscale-s-1'\n"})
    EXPECT_THAT(script, testing::HasSubstr(line));
}

TEST(SlurmScript, OfAJobBehindAllOthersAsksForOneProcessWithoutGpus) {
  const SlurmOptions options{.account = "lab", .seconds = 7200, .gpu_type = "h200", .prologue = {"ulimit -c 0"}};
  const std::string script = follow_up_script(options, {"/store/jobs/slurm/hyscale-s-report"},
                                              {.argv = {"/bin/analyze", "it's"}, .partition = "cpu"});
  for (const char* line : {"#SBATCH --partition=cpu\n", "#SBATCH --account=lab\n", "#SBATCH --ntasks=1\n",
                           "#SBATCH --time=01:00:00\n", "ulimit -c 0\n", "exec '/bin/analyze' 'it'\\''s'\n"})
    EXPECT_THAT(script, testing::HasSubstr(line));
  for (const char* absent : {"--gres", "--array", "--signal"})
    EXPECT_THAT(script, testing::Not(testing::HasSubstr(absent)));
}

TEST(SlurmScript, RefusesAValueThatWouldBeReadAsMoreThanAValue) {
  for (const char* value : {"gpu\n#SBATCH --uid=0", "a b", "$(id)", "'x'"})
    EXPECT_THROW(slurm_script({.partition = value}, {"/store/x"}, {.tasks = {{0, {0}}}}), ConfigError) << value;
  EXPECT_THROW(slurm_script({}, {"/my store/x"}, {.tasks = {{0, {0}}}}), ConfigError);
}

TEST(SlurmScript, NamesWhatAnArrayWaitsFor) {
  EXPECT_EQ(dependency(12, {13, 14}), "aftercorr:12,afterany:13:14");
  EXPECT_EQ(dependency(0, {13}), "afterany:13");
  EXPECT_EQ(dependency(0, {}), "");
}

}  // namespace
}  // namespace hyscale::cluster
