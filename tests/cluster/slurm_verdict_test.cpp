#include "cluster/slurm_verdict.h"

#include <gtest/gtest.h>

namespace hyscale::cluster {
namespace {

constexpr double kNow = 2e9;

SlurmFacts says(const std::string& state, const std::string& reason = "", double ended = kNow - 100) {
  return {.answered = true, .record = SlurmRecord{.state = state, .reason = reason, .ended = ended}};
}
const SlurmFacts kKnowsNothing{.answered = true};
const SlurmFacts kSilent{.answered = false};
FileFacts launched() { return {.submitted = kNow - 1000, .launches = 1}; }
FileFacts ended(int code, int signal = 0) {
  FileFacts files = launched();
  files.end = JobEnd{.exit_code = code, .signal = signal};
  return files;
}

TEST(SlurmVerdict, BelievesAWorkersOwnEndWithoutAskingSlurm) {
  for (const SlurmFacts& slurm : {kSilent, kKnowsNothing, says("RUNNING"), says("FAILED")}) {
    const JobStatus status = verdict(ended(4), slurm, kNow);
    EXPECT_EQ(status.state, JobState::ended);
    EXPECT_EQ(status.exit_code, 4);
    EXPECT_EQ(status.cause, EndCause::own_exit);
  }
}

TEST(SlurmVerdict, CallsNothingFailedWhileSlurmDoesNotAnswer) {
  EXPECT_EQ(verdict(launched(), kSilent, kNow).state, JobState::unknown);
  EXPECT_EQ(verdict({.submitted = 1}, kSilent, kNow).state, JobState::unknown);
}

TEST(SlurmVerdict, TellsTheCausesApart) {
  const auto cause = [](const std::string& state, const std::string& reason = "") {
    return verdict(launched(), says(state, reason), kNow).cause;
  };
  EXPECT_EQ(cause("NODE_FAIL"), EndCause::node_failure);
  EXPECT_EQ(cause("PREEMPTED"), EndCause::preempted);
  EXPECT_EQ(cause("TIMEOUT"), EndCause::time_limit);
  EXPECT_EQ(cause("OUT_OF_MEMORY"), EndCause::out_of_memory);
  EXPECT_EQ(cause("CANCELLED"), EndCause::cancelled_outside);
  EXPECT_EQ(cause("CANCELLED", "DependencyNeverSatisfied"), EndCause::not_begun);
  EXPECT_EQ(cause("CANCELLED", "Dependency"), EndCause::cancelled_outside) << "a person did it while it waited";
}

TEST(SlurmVerdict, AsksSlurmWhyAWorkerWasTerminatedOrKilled) {
  FileFacts terminated = ended(75);
  terminated.terminated = true;
  EXPECT_EQ(verdict(terminated, says("CANCELLED"), kNow).cause, EndCause::cancelled_outside);
  EXPECT_EQ(verdict(terminated, says("PENDING"), kNow).state, JobState::queued) << "it was preempted and waits";
  EXPECT_EQ(verdict(terminated, kKnowsNothing, kNow).cause, EndCause::cancelled_outside);
  EXPECT_EQ(verdict(ended(137, 9), says("OUT_OF_MEMORY"), kNow).cause, EndCause::out_of_memory);
  EXPECT_EQ(verdict(ended(137, 9), kSilent, kNow).state, JobState::unknown);
}

TEST(SlurmVerdict, WaitsForAJobThatItsKeeperHasRequeued) {
  FileFacts files = ended(75);
  files.end->requeued = true;
  EXPECT_EQ(verdict(files, says("PENDING"), kNow).state, JobState::queued);
  EXPECT_EQ(verdict(files, kSilent, kNow).state, JobState::unknown);
  EXPECT_EQ(verdict(files, kKnowsNothing, kNow).exit_code, 75) << "Slurm has lost it";
}

TEST(SlurmVerdict, GivesAJobThatSlurmDoesNotKnowAMinuteAndThenAnotherAttempt) {
  EXPECT_EQ(verdict({.submitted = kNow - 5}, kKnowsNothing, kNow).state, JobState::queued);
  EXPECT_EQ(verdict({.submitted = kNow - 500}, kKnowsNothing, kNow).cause, EndCause::vanished);
  EXPECT_EQ(verdict({}, kKnowsNothing, kNow).cause, EndCause::not_begun) << "it was never put to Slurm";
  EXPECT_EQ(verdict({.submitting = true}, kKnowsNothing, kNow).state, JobState::queued);
  EXPECT_EQ(verdict(launched(), kKnowsNothing, kNow).state, JobState::gone);
  FileFacts living = launched();
  living.locked = true;
  EXPECT_EQ(verdict(living, kKnowsNothing, kNow).state, JobState::running) << "its node only seems dead";
}

TEST(SlurmVerdict, TellsWhatMayHaveBecomeOfAForgottenJobByWhatIsLeftBehind) {
  const FileFacts files{.submitted = kNow - 5000};
  SlurmFacts slurm{.answered = true, .cannot_be_lost = true};
  EXPECT_EQ(verdict(files, slurm, kNow).cause, EndCause::cancelled_outside);
  slurm.cannot_be_lost = false;
  EXPECT_EQ(verdict(files, slurm, kNow).cause, EndCause::vanished) << "a controller that died may have lost it";
  EXPECT_EQ(verdict({.submitted = kNow - 5000, .script_ran = true}, slurm, kNow).cause, EndCause::own_exit);
}

TEST(SlurmVerdict, GivesASubmissionWithoutAnAnswerLonger) {
  const auto unanswered = [](double ago) { return FileFacts{.submitted = kNow - ago, .unanswered = true}; };
  EXPECT_EQ(verdict(unanswered(200), kKnowsNothing, kNow).state, JobState::queued);
  EXPECT_EQ(verdict(unanswered(400), kKnowsNothing, kNow).cause, EndCause::not_begun);
}

TEST(SlurmVerdict, WaitsForFilesThatASharedFileSystemShowsLate) {
  EXPECT_EQ(verdict(launched(), says("COMPLETED", "", kNow - 1), kNow).state, JobState::running);
  EXPECT_EQ(verdict(launched(), says("COMPLETED", "", kNow - 60), kNow).state, JobState::gone);
}

}  // namespace
}  // namespace hyscale::cluster
