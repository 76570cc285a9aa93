#include "cluster/preflight_job.h"

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/lock.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "tests/support/scratch.h"

namespace hyscale::cluster {
namespace {

using Level = Finding::Level;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

/// A Slurm of one job: what is submitted is given to `node`, which does what the job would do.
class PreflightJobTest : public testing::Test {
 protected:
  std::vector<Finding> look() {
    job_.options.directory = scratch_.path() + "/store";
    job_.look = {"study", "doctor"};
    return preflight_in_job([this](const std::vector<std::string>& argv, const CommandOptions&) { return slurm(argv); },
                            job_);
  }
  CommandOutput slurm(const std::vector<std::string>& argv) {
    if (argv[0] == "sbatch") {
      if (!refusal_.empty()) return {.exit_code = 1, .err = refusal_};
      script_ = read_file(argv.back());
      const std::string directory = argv.back().substr(0, argv.back().rfind('/'));
      lock_was_held_ = is_locked(directory + "/lock");
      if (node_) node_(directory);
      return {.out = "7\n"};
    }
    if (argv[0] == "squeue") return {.out = queue_};
    cancelled_.push_back(argv.back());
    return {};
  }

  const tests::ScratchDirectory scratch_;
  PreflightJob job_;
  std::function<void(const std::string& directory)> node_ = {};
  std::string refusal_ = {}, queue_ = {}, script_ = {};
  std::vector<std::string> cancelled_ = {};
  bool lock_was_held_ = false;
};

TEST_F(PreflightJobTest, GivesWhatTheJobFoundAndLeavesNothing) {
  node_ = [](const std::string& directory) {
    write_file_atomically(
        directory + "/findings.json",
        to_json({{.check = "mpi", .level = Level::warning, .what = "slow", .remedy = "wait", .host = "n1"}}));
  };
  const auto found = look();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].check, "mpi");
  EXPECT_EQ(found[0].level, Level::warning);
  EXPECT_EQ(found[0].remedy, "wait");
  EXPECT_EQ(found[0].host, "n1");
  EXPECT_TRUE(lock_was_held_);
  EXPECT_THAT(script_, HasSubstr("#SBATCH --no-requeue"));
  EXPECT_THAT(script_, HasSubstr("'study' 'doctor' '--inside'"));
  EXPECT_TRUE(std::filesystem::is_empty(job_.options.directory));
}

TEST_F(PreflightJobTest, PassesOnWhySlurmRefusesIt) {
  refusal_ = "sbatch: error: Batch job submission failed: Invalid qos specification\n";
  const auto found = look();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].level, Level::failure);
  EXPECT_THAT(found[0].what, HasSubstr("Invalid qos"));
  EXPECT_THAT(found[0].remedy, HasSubstr("slurm:"));
}

TEST_F(PreflightJobTest, CancelsAJobThatDoesNotStartInTime) {
  queue_ = "7|N/A|PENDING|N/A|hyscale-doctor|Resources\n";
  job_.patience = 0.01;
  const auto found = look();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].level, Level::failure);
  EXPECT_THAT(found[0].what, HasSubstr("PENDING (Resources)"));
  EXPECT_THAT(found[0].remedy, HasSubstr("--patience"));
  EXPECT_THAT(cancelled_, ElementsAre("7"));
}

TEST_F(PreflightJobTest, TakesItsJobOutOfTheQueueWhenItIsInterrupted) {
  queue_ = "7|N/A|PENDING|N/A|hyscale-doctor|Resources\n";
  job_.interrupted = [] { return true; };
  const auto found = look();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].what, HasSubstr("interrupted"));
  EXPECT_THAT(cancelled_, ElementsAre("7"));
  EXPECT_TRUE(std::filesystem::is_empty(job_.options.directory));
}

TEST(Findings, ThatCannotBeReadAreNamedSo) {
  EXPECT_THROW(findings_from_json("{}"), DamagedFile);
  EXPECT_THROW(findings_from_json(R"({"findings": [{"check": "a", "level": "odd", "what": "", "remedy": ""}]})"),
               DamagedFile);
}

}  // namespace
}  // namespace hyscale::cluster
