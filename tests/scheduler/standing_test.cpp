#include "scheduler/standing.h"

#include <gtest/gtest.h>

#include "cluster/job_files.h"
#include "core/base/files.h"
#include "scheduler/settings.h"
#include "tests/support/scratch.h"

namespace hyscale::scheduler {
namespace {

TEST(StandingTest, CountsTheRestartsOfARunningJobBeforeItHasEnded) {
  const tests::ScratchDirectory scratch;
  const std::string job = scratch.path() + "/jobs/a/1";
  make_writable_directory(job);
  storage::Database database(scratch.path(), storage::Database::Mode::create);
  database.put_study({.name = "s", .settings = to_json(Settings{})});
  database.add_run({.run_id = "a", .state = "running", .attempts = 1, .requeues = 1, .job_id = job});
  database.put_cell({.study = "s", .run_id = "a", .role = "alone", .cluster = "a"});
  const StoreRunFiles files(scratch.path());
  EXPECT_EQ(standing(database, files, "s").runs.at(0).run.requeues, 1);
  cluster::write_processes({job}, {.launch = 4, .silent = 1});
  const auto now = standing(database, files, "s").runs.at(0).run;
  EXPECT_EQ(now.requeues, 3) << "one of an earlier attempt, two of this one";
  EXPECT_EQ(now.node_faults, 1) << "after which the node was down";
}

TEST(StandingTest, SaysTheSameInBriefAsInFull) {
  const tests::ScratchDirectory scratch;
  storage::Database database(scratch.path(), storage::Database::Mode::create);
  Settings settings;
  settings.slots = 2;
  database.put_study({.name = "s", .settings = to_json(settings)});
  database.put_study({.name = "other", .settings = to_json(Settings{})});
  const std::vector<std::string> states{"done",    "done",   "running", "submitted", "submitted", "submitted",
                                        "planned", "failed", "planned", "lost",      "diverged",  "cancelled"};
  for (size_t i = 0; i < states.size(); ++i) {
    const std::string id = std::string(1, static_cast<char>('a' + i));
    const auto tokens = static_cast<int64_t>(100 * (i + 1));
    database.add_run({.run_id = id,
                      .figures = {.tokens = tokens, .flops_per_token_executed = 3},
                      .state = states[i],
                      .busy_seconds = i < 2 ? 7.0 : 0});
    database.put_cell({.study = "s", .run_id = id, .budget = 1, .branch_tokens = i == 1 ? 50 : 0});
    database.put_cell({.study = "s", .run_id = id, .budget = 2, .branch_tokens = 0});
    database.put_cell({.study = "other", .run_id = id, .branch_tokens = 90});
  }
  database.add_run({.run_id = "z", .state = "failed"});
  database.put_cell({.study = "other", .run_id = "z"});
  const StoreRunFiles files(scratch.path());
  const Standing full = standing(database, files, "s"), brief = brief_standing(database, files, "s", 2);
  EXPECT_EQ(brief.counts, full.counts);
  EXPECT_EQ(brief.total(), 12);
  EXPECT_EQ(brief.finished(), full.finished());
  EXPECT_DOUBLE_EQ(brief.done_share, full.done_share);
  EXPECT_DOUBLE_EQ(brief.eta_seconds, full.eta_seconds);
  EXPECT_DOUBLE_EQ(brief.busy_seconds, 14);
  EXPECT_EQ(summary_line(brief), summary_line(full));
  std::string shown;
  for (const RunStanding& r : brief.runs) shown += r.run.run_id;
  EXPECT_EQ(shown, "lkhjcde") << "trouble, what runs, and two of those that wait for their turn";
  EXPECT_EQ(brief.runs.back().cell.budget, 1) << "the first cell that wants it";
}

}  // namespace
}  // namespace hyscale::scheduler
