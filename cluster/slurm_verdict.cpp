#include "cluster/slurm_verdict.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <fmt/format.h>
#include <string_view>

namespace hyscale::cluster {
namespace {

constexpr double kAppearSeconds = 60;       // a job that Slurm took and does not show is given so long
constexpr double kUnansweredSeconds = 300;  // and one of which it has not said whether it took it
constexpr double kFilesSeconds = 15;        // a shared file system may show a file this late

JobStatus ended_as(EndCause cause, const FileFacts& files, std::string message) {
  return {.state = JobState::ended,
          .exit_code = files.end ? files.end->exit_code : 1,
          .signal = files.end ? files.end->signal : 0,
          .cause = cause,
          .restarts = std::max(files.launches - 1, 0),
          .node_failures = files.silent,
          .message = std::move(message)};
}

JobStatus own_end(const FileFacts& files) { return ended_as(files.end->cause, files, ""); }

JobStatus running(const FileFacts& files) {
  return {.state = JobState::running, .restarts = std::max(files.launches - 1, 0)};
}

/// Slurm has forgotten a job whose worker was never started. What ends such a job is kept for minutes only where
/// accounting is off, so it may have been anything; what is left behind tells.
JobStatus forgotten(const FileFacts& files, const SlurmFacts& slurm) {
  if (files.script_ran) return ended_as(EndCause::own_exit, files, "the batch script ended before the worker");
  if (files.submitted == 0 || files.unanswered) return ended_as(EndCause::not_begun, files, "Slurm never took the job");
  // A task that is cancelled before Slurm has split it off its array leaves no record of its own, not even with sacct.
  if (slurm.cannot_be_lost)
    return ended_as(EndCause::cancelled_outside, files, "it left the queue without having begun");
  return ended_as(EndCause::vanished, files, "Slurm knows it no longer, and it had not begun");
}

/// Slurm answers and knows no such job.
JobStatus unknown_to_slurm(const FileFacts& files, const SlurmFacts& slurm, double now) {
  if (files.locked) return running(files);
  if (files.submitting) return {.state = JobState::queued, .message = "being submitted"};
  // Who asks a job to end of which nothing else is left: a person, while accounting is off.
  if (files.terminated) return ended_as(EndCause::cancelled_outside, files, "Slurm was told to end it");
  if (files.end) return own_end(files);
  if (files.launches > 0) {
    JobStatus gone = ended_as(EndCause::own_exit, files, "Slurm knows it no longer");
    gone.state = JobState::gone;
    return gone;
  }
  if (now - files.submitted < (files.unanswered ? kUnansweredSeconds : kAppearSeconds))
    return {.state = JobState::queued, .message = "Slurm does not show it yet"};
  return forgotten(files, slurm);
}

/// Slurm has done with it, and the keeper has left no word or was told to end.
JobStatus ended_for_slurm(const FileFacts& files, const SlurmRecord& record, double now) {
  const std::string said = record.reason.empty() ? record.state : record.state + " (" + record.reason + ")";
  const std::string_view state = record.state;
  if (state == "CANCELLED" && record.reason.find("NeverSatisfied") != std::string::npos)
    return ended_as(EndCause::not_begun, files, "its trunk did not succeed");
  if (state == "CANCELLED") return ended_as(EndCause::cancelled_outside, files, said);
  if (state == "TIMEOUT" || state == "DEADLINE") return ended_as(EndCause::time_limit, files, said);
  if (state == "PREEMPTED") return ended_as(EndCause::preempted, files, said);
  if (state == "NODE_FAIL" || state == "BOOT_FAIL" || state == "REVOKED")
    return ended_as(EndCause::node_failure, files, said);
  if (state == "OUT_OF_MEMORY") return ended_as(EndCause::out_of_memory, files, said);
  if (files.end) return own_end(files);
  if (files.locked || now - record.ended < kFilesSeconds) return running(files);
  if (files.launches > 0) {
    JobStatus gone = ended_as(EndCause::own_exit, files, said);
    gone.state = JobState::gone;
    return gone;
  }
  if (state == "COMPLETED") return ended_as(EndCause::not_begun, files, said);
  return ended_as(EndCause::own_exit, files, "the batch script failed before the worker: " + said);
}

}  // namespace

bool is_waiting(const SlurmRecord& record) {
  constexpr std::array<std::string_view, 6> kWaiting{"PENDING",     "REQUEUED",     "REQUEUE_HOLD",
                                                     "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"};
  return std::find(kWaiting.begin(), kWaiting.end(), record.state) != kWaiting.end();
}

bool is_unfinished(const SlurmRecord& record) {
  constexpr std::array<std::string_view, 8> kUnfinished{"RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED",
                                                        "STOPPED", "RESIZING",   "SIGNALING",   "STAGE_OUT"};
  return is_waiting(record) || std::find(kUnfinished.begin(), kUnfinished.end(), record.state) != kUnfinished.end();
}

bool is_last_word(const JobEnd& end, bool terminated) {
  return !end.requeued && (end.exit_code == 0 || (!terminated && end.signal == 0));
}

JobStatus verdict(const FileFacts& files, const SlurmFacts& slurm, double now) {
  if (files.end && is_last_word(*files.end, files.terminated)) return own_end(files);
  if (slurm.record && is_waiting(*slurm.record)) {
    JobStatus waits{.state = JobState::queued, .restarts = files.launches, .message = slurm.record->reason};
    return waits;
  }
  if (slurm.record && is_unfinished(*slurm.record)) return running(files);
  if (slurm.record) return ended_for_slurm(files, *slurm.record, now);
  if (!slurm.answered) return {.state = JobState::unknown, .message = "Slurm does not answer"};
  return unknown_to_slurm(files, slurm, now);
}

}  // namespace hyscale::cluster
