#include "scheduler/run_state.h"

#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hyscale::scheduler {
namespace {

using storage::RunRow;
using testing::HasSubstr;
using Kind = Event::Kind;

RunRow running_run() {
  const RunRow planned{.run_id = "r"};
  return after(after(planned, {.kind = Kind::launched}), {.kind = Kind::started});
}
RunRow relaunched(const RunRow& run) {
  EXPECT_EQ(run.state, "planned");
  return after(run, {.kind = Kind::launched});
}
Event exit_with(int code, int64_t step = 0) { return {.kind = Kind::ended, .exit_code = code, .step = step}; }

TEST(RunStateTest, GoesFromPlannedToDone) {
  const RunRow run = running_run();
  EXPECT_EQ(run.state, "running");
  EXPECT_EQ(run.attempts, 1);
  EXPECT_EQ(after(run, {.kind = Kind::finished}).state, "done");
}

TEST(RunStateTest, RetriesItsOwnFaultOnce) {
  const RunRow again = after(running_run(), exit_with(1));
  EXPECT_EQ(again.state, "planned");
  const RunRow failed = after(relaunched(again), exit_with(1));
  EXPECT_EQ(failed.state, "failed");
  EXPECT_THAT(failed.cause, HasSubstr("exit code 1"));
}

TEST(RunStateTest, TakesAnExitOf0WithoutARecordForAFault) {
  EXPECT_EQ(after(running_run(), exit_with(0)).own_faults, 1);
}

TEST(RunStateTest, NamesTheSignalThatKilledAWorker) {
  const RunRow run = after(running_run(), {.kind = Kind::ended, .exit_code = 139, .signal = SIGSEGV});
  EXPECT_THAT(run.cause, HasSubstr("signal 11"));
  EXPECT_EQ(run.own_faults, 1);
}

TEST(RunStateTest, RequeuesFreelyWhileStepsAdvance) {
  RunRow run = running_run();
  for (int64_t step = 1; step <= 50; ++step) run = relaunched(after(run, exit_with(75, step * 10)));
  EXPECT_EQ(run.requeues, 50);
  EXPECT_EQ(run.own_faults, 0);
  run = relaunched(after(run, exit_with(75, 500)));
  EXPECT_EQ(after(run, exit_with(75, 500)).state, "failed") << "it went in circles twice";
}

TEST(RunStateTest, NeverRetriesABadConfiguration) { EXPECT_EQ(after(running_run(), exit_with(2)).state, "failed"); }

TEST(RunStateTest, RetriesOutOfMemoryOnlyWhileTheMicroBatchCanShrink) {
  RunRow run = running_run();
  Event event = exit_with(3);
  event.can_shrink = true;
  run = relaunched(after(run, event));
  EXPECT_EQ(run.memory_faults, 1);
  event.can_shrink = false;
  EXPECT_EQ(after(run, event).state, "failed");
}

TEST(RunStateTest, LeavesADivergedRunAlone) {
  const RunRow run = after(running_run(), exit_with(4));
  EXPECT_EQ(run.state, "diverged");
  EXPECT_EQ(after(run, {.kind = Kind::retry}).state, "diverged");
}

TEST(RunStateTest, ForgivesFiveNodeFaults) {
  RunRow run = running_run();
  for (int i = 0; i < 5; ++i) run = relaunched(after(run, {.kind = Kind::gone}));
  EXPECT_EQ(after(run, {.kind = Kind::gone}).state, "failed");
}

TEST(RunStateTest, CancelsARunningRunOnlyWhenItsJobHasEnded) {
  const RunRow asked = after(running_run(), {.kind = Kind::cancel});
  EXPECT_EQ(asked.state, "running");
  EXPECT_EQ(after(asked, exit_with(75, 10)).state, "cancelled");
  EXPECT_EQ(after(asked, {.kind = Kind::finished}).state, "done") << "it was faster";
}

TEST(RunStateTest, RunsAgainAfterRetryWithFreshCounters) {
  RunRow run = after(relaunched(after(running_run(), exit_with(1))), exit_with(1));
  ASSERT_EQ(run.state, "failed");
  run = after(run, {.kind = Kind::retry});
  EXPECT_EQ(run.state, "planned");
  EXPECT_EQ(run.own_faults, 0);
  EXPECT_EQ(run.attempts, 2) << "attempts number the job directories and never start again";
}

TEST(RunStateTest, TellsUnknownFromFailed) {
  const RunRow run = after(running_run(), {.kind = Kind::out_of_sight});
  EXPECT_EQ(run.state, "lost");
  EXPECT_EQ(after(run, {.kind = Kind::retry}).state, "planned");
}

TEST(RunStateTest, ABranchSharesTheFateOfATrunkThatEndedShortOfIt) {
  const RunRow planned{.run_id = "b"};
  const RunRow run =
      after(planned, {.kind = Kind::trunk_is_final, .trunk = RunState::diverged, .message = "its trunk diverged"});
  EXPECT_EQ(run.state, "diverged");
  EXPECT_EQ(run.cause, "its trunk diverged");
}

Event ended_by(cluster::EndCause cause, int64_t step = 0) {
  return {.kind = Kind::ended, .exit_code = 1, .cause = cause, .step = step};
}

TEST(RunStateTest, CountsEachOuterCauseOnItsOwnCounter) {
  using cluster::EndCause;
  const RunRow node = after(running_run(), ended_by(EndCause::node_failure, 10));
  EXPECT_EQ(node.node_faults, 1);
  const RunRow preempted = after(running_run(), ended_by(EndCause::preempted, 10));
  EXPECT_EQ(preempted.requeues, 1);
  const RunRow limit = after(running_run(), ended_by(EndCause::time_limit, 10));
  EXPECT_EQ(limit.requeues, 1);
  Event memory = ended_by(EndCause::out_of_memory, 10);
  memory.can_shrink = true;
  const RunRow starved = after(running_run(), memory);
  EXPECT_EQ(starved.memory_faults, 1);
  for (const RunRow& run : {node, preempted, limit, starved}) {
    EXPECT_EQ(run.state, "planned");
    EXPECT_EQ(run.own_faults, 0) << run.cause;
    EXPECT_EQ(run.node_faults + run.requeues + run.memory_faults, 1) << run.cause;
  }
}

TEST(RunStateTest, LimitsWhatComesRoundWithoutAdvancing) {
  using cluster::EndCause;
  for (const auto& [cause, forgiven] : {std::pair{EndCause::preempted, 5}, std::pair{EndCause::time_limit, 1}}) {
    RunRow run = running_run();
    for (int i = 0; i < forgiven; ++i) run = relaunched(after(run, ended_by(cause)));
    EXPECT_EQ(after(run, ended_by(cause)).state, "failed");
  }
}

TEST(RunStateTest, AnAttemptThatHasNotBegunCostsNothing) {
  RunRow run = running_run();
  for (int i = 0; i < 100; ++i) run = relaunched(after(run, ended_by(cluster::EndCause::not_begun)));
  EXPECT_EQ(run.own_faults + run.node_faults + run.requeues, 0);
}

TEST(RunStateTest, LeavesARunAloneThatSomebodyCancelledOutside) {
  const RunRow run = after(running_run(), ended_by(cluster::EndCause::cancelled_outside));
  EXPECT_EQ(run.state, "cancelled");
  EXPECT_THAT(run.cause, HasSubstr("from outside"));
}

TEST(RunStateTest, IsLostNotFailedWhenItsJobVanishesAgainAndAgain) {
  RunRow run = running_run();
  for (int i = 0; i < 5; ++i) run = relaunched(after(run, ended_by(cluster::EndCause::vanished)));
  EXPECT_EQ(after(run, ended_by(cluster::EndCause::vanished)).state, "lost");
}

TEST(RunStateTest, AddsTheRestartsThatTheBatchSystemMade) {
  const RunRow run = after(running_run(), {.kind = Kind::finished, .restarts = 3, .node_failures = 1});
  EXPECT_EQ(run.requeues, 2);
  EXPECT_EQ(run.node_faults, 1);
}

TEST(RunStateTest, IgnoresEventsThatMeanNothingInAState) {
  for (const char* state : {"done", "diverged"})
    for (const Kind kind : {Kind::launched, Kind::started, Kind::ended, Kind::gone, Kind::cancel, Kind::retry,
                            Kind::trunk_is_final, Kind::out_of_sight}) {
      const RunRow run{.run_id = "r", .state = state};
      EXPECT_EQ(after(run, {.kind = kind}).state, state);
    }
}

}  // namespace
}  // namespace hyscale::scheduler
