#include "scheduler/gc.h"

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "storage/files/checkpoint.h"
#include "tests/support/scratch.h"

namespace hyscale::scheduler {
namespace {

using storage::Database;
using storage::RunDirectory;
using testing::ElementsAre;

constexpr size_t kBytes = 1000;  // of each checkpoint

/// A store with one trunk and one branch that leaves it at step 20.
class GcTest : public testing::Test {
 protected:
  void SetUp() override {
    database_.put_study({.name = "s", .spec = "", .settings = "{}"});
    add("trunk", "done", {10, 20, 30, 40});
    add("branch", "planned", {});
    database_.put_cell({.study = "s", .run_id = "trunk", .family = "a", .size = "1M", .role = "trunk"});
    database_.put_cell({.study = "s",
                        .run_id = "branch",
                        .family = "a",
                        .size = "1M",
                        .role = "branch",
                        .parent = "trunk",
                        .branch_step = 20});
  }
  void add(const std::string& run_id, const std::string& state, const std::vector<int64_t>& steps) {
    database_.add_run({.run_id = run_id, .config = "", .state = state});
    std::filesystem::create_directories(directory(run_id).checkpoints());
    for (const int64_t step : steps)
      write_file_atomically(storage::checkpoint_path(directory(run_id), step), std::string(kBytes, 'x'));
  }
  void become(const std::string& run_id, const std::string& state) {
    auto run = *database_.run(run_id);
    run.state = state;
    database_.update_run(run);
  }
  RunDirectory directory(const std::string& run_id) const { return {scratch_ / "runs/" + run_id}; }
  std::vector<int64_t> left(const std::string& run_id) { return storage::list_checkpoints(directory(run_id)); }

  tests::ScratchDirectory scratch_;
  Database database_{scratch_.path(), Database::Mode::create};
};

TEST_F(GcTest, KeepsTheBranchPointOfABranchThatIsNotDoneAndTheLastWeights) {
  const GcReport report = collect_garbage(database_, {});
  EXPECT_THAT(left("trunk"), ElementsAre(20, 40));
  EXPECT_EQ(report.freed, 2 * kBytes);
  EXPECT_EQ(report.kept, 2 * kBytes);
}

TEST_F(GcTest, RemovesTheBranchPointOnceTheBranchIsDone) {
  for (const char* state : {"running", "failed", "cancelled", "lost"}) {
    become("branch", state);
    collect_garbage(database_, {.quota = 0, .weights = true});
    EXPECT_THAT(left("trunk"), testing::Contains(20)) << "a branch that is " << state << " may start from it";
  }
  become("branch", "done");
  storage::write_pinned(directory("trunk"), {20});
  collect_garbage(database_, {.quota = 0, .weights = true});
  EXPECT_THAT(left("trunk"), testing::IsEmpty());
  EXPECT_TRUE(storage::read_pinned(directory("trunk")).empty());
}

TEST_F(GcTest, KeepsTheTwoNewestOfARunThatMayBeResumedWhateverTheQuota) {
  become("trunk", "cancelled");
  collect_garbage(database_, {.quota = 0, .weights = true});
  EXPECT_THAT(left("trunk"), ElementsAre(20, 30, 40));
}

TEST_F(GcTest, LeavesARunAloneThatIsBeingTrained) {
  become("trunk", "running");
  EXPECT_EQ(collect_garbage(database_, {}).removed.size(), 0u);
  become("trunk", "done");  // the database may be behind: the worker's lock counts
  const FileLock worker(directory("trunk").lock(), FileLock::Wait::no);
  EXPECT_EQ(collect_garbage(database_, {}).busy, 1);
  EXPECT_EQ(left("trunk").size(), 4u);
}

TEST_F(GcTest, RemovesNoMoreThanTheQuotaAsksFor) {
  const GcReport report = collect_garbage(database_, {.quota = 3 * kBytes + 1});
  EXPECT_EQ(report.removed.size(), 1u);
  EXPECT_EQ(left("trunk").size(), 3u);
}

TEST_F(GcTest, RemovesNothingInADryRunAndSaysWhatItWould) {
  const GcReport report = collect_garbage(database_, {.dry_run = true});
  EXPECT_EQ(report.removed.size(), 2u);
  EXPECT_EQ(report.freed, 2 * kBytes);
  EXPECT_EQ(left("trunk").size(), 4u);
}

TEST(Bytes, AreReadInBinaryMultiplesAndRefusedOtherwise) {
  EXPECT_EQ(parse_bytes("500"), 500u);
  EXPECT_EQ(parse_bytes("2K"), 2048u);
  EXPECT_EQ(parse_bytes("1.5GiB"), 1610612736u);
  EXPECT_EQ(parse_bytes("1TB"), 1ull << 40);
  for (const char* wrong : {"", "G", "-1G", "5X", "5 G", "1e99T", "nan", "12Gb"})
    EXPECT_THROW(parse_bytes(wrong), ConfigError) << wrong;
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
}

}  // namespace
}  // namespace hyscale::scheduler
