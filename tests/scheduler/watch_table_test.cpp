#include "scheduler/watch_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hyscale::scheduler {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

RunStanding run(int number, const std::string& state) {
  RunStanding r;
  r.run.run_id = std::to_string(number) + std::string(63, 'a');
  r.run.state = state;
  r.cell.family = "hybrid", r.cell.size = "1M";
  if (state != "running") return r;
  r.status.emplace();
  r.status->step = 30, r.status->steps = 200, r.status->loss = 3.25;
  r.status->tokens_per_second = 4567, r.status->eta_seconds = 90, r.status->busy_seconds = 1800;
  return r;
}

Standing study_of(const std::vector<RunStanding>& runs) {
  Standing s{.study = "s"};
  s.runs = runs;
  s.unit = "GPU", s.units = 2;
  for (const RunStanding& r : runs) ++s.counts[r.run.state];
  return s;
}

TEST(WatchTable, ShowsStateStepLossSpeedTimeLeftAndCostOfARunningRun) {
  const auto lines = watch_table(study_of({run(1, "done"), run(2, "running")}), {.rows = 24, .columns = 200});
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_THAT(lines[0], HasSubstr("1 done, 1 running"));
  EXPECT_THAT(lines[2], AllOf(HasSubstr("running"), HasSubstr("30/200"), HasSubstr("3.2500"), HasSubstr("4567"),
                              HasSubstr("1m30s"), HasSubstr("1.00 GPU-hours")));
}

TEST(WatchTable, ShowsWhatEndedInTroubleBeforeWhatOnlyWaits) {
  auto failed = run(3, "failed");
  failed.run.cause = "out of memory";
  const auto lines = watch_table(study_of({run(1, "submitted"), failed}), {.rows = 24, .columns = 200});
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_THAT(lines[2], HasSubstr("out of memory"));
  EXPECT_THAT(lines[3], HasSubstr("submitted"));
}

TEST(WatchTable, FitsTheScreenAndSaysHowManyRunsItLeavesOut) {
  std::vector<RunStanding> many;
  for (int i = 0; i < 500; ++i) many.push_back(run(i, "running"));
  const auto lines = watch_table(study_of(many), {.rows = 10, .columns = 60});
  EXPECT_THAT(lines, SizeIs(9)) << "the last row is the cursor's";
  EXPECT_THAT(lines.back(), HasSubstr("494 more"));
  for (const std::string& line : lines) EXPECT_LT(line.size(), 60u);
}

TEST(WatchTable, CutsBetweenCharacters) {
  auto failed = run(1, "failed");
  failed.run.cause = std::string(40, 'x') + "ääääääää";
  for (size_t columns = 90; columns < 130; ++columns) {
    const std::string line = watch_table(study_of({failed}), {.rows = 24, .columns = columns})[1];
    EXPECT_NE(static_cast<unsigned char>(line.back()) & 0xC0U, 0xC0U) << "half a character at " << columns;
  }
}

TEST(StatusText, ListsTheFirstRunsAndSaysHowManyThereAreBeyond) {
  std::vector<RunStanding> many;
  for (int i = 0; i < 30; ++i) many.push_back(run(i, i % 2 == 0 ? "running" : "failed"));
  const std::string text = to_text(study_of(many), 10);
  EXPECT_THAT(text, AllOf(HasSubstr("\nrunning\n"), HasSubstr("\nnot done\n"), HasSubstr("and 5 more")));
  EXPECT_THAT(to_text(study_of(many), 100), Not(HasSubstr("more:")));
}

}  // namespace
}  // namespace hyscale::scheduler
