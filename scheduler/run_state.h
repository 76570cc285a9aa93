#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/backend.h"
#include "storage/db/rows.h"

namespace hyscale::scheduler {

/// planned → submitted → running → done | diverged | failed(cause) | cancelled | lost (DESIGN §2). An attempt that
/// ended for a reason worth another one leads back to planned.
enum class RunState { planned, submitted, running, done, diverged, failed, cancelled, lost };
std::string to_string(RunState state);
RunState state_of(const storage::RunRow& run);
RunState state_named(const std::string& name);  // throws DamagedFile when there is none
/// Submitted or running: a job of this run may be alive.
bool is_active(RunState state);
/// Nothing more happens to it unless a person asks.
bool is_final(RunState state);

/// How often an attempt may end for each reason before the run counts as failed. Requeues are free while steps advance.
inline constexpr int kOwnFaultRetries = 1;
// Of what is below the worker; also when it was preempted before it advanced a step, and when its job vanished from the
// batch system without having begun (the run is lost then, not failed).
inline constexpr int kNodeFaultRetries = 5;
inline constexpr int kMemoryRetries = 4;  // each with half the micro-batch

/// Something that happened to a run.
struct Event {
  enum class Kind {
    launched,        // a job was reserved for the next attempt
    started,         // its worker was seen
    finished,        // a final record that validates is there
    ended,           // the worker ended without one: exit_code, signal
    gone,            // no process of the job lives and nobody knows how it ended
    out_of_sight,    // nothing could be learnt about the job for too long
    cancel,          // a person asked
    retry,           // a person asked
    trunk_is_final,  // the branch's trunk will never reach the branch point; `trunk` says what became of it
  };
  Kind kind;
  int exit_code = 0;
  int signal = 0;
  cluster::EndCause cause = cluster::EndCause::own_exit;  // ended
  int restarts = 0;                                       // times that the batch system started it again
  int node_failures = 0;                                  // those of them before which its node had gone down
  int64_t step = 0;                                       // ended, gone: where the worker had come to
  bool can_shrink = false;                                // ended with out of memory: a smaller micro-batch is possible
  RunState trunk = RunState::failed;
  std::string message = {};  // what the worker said, or which trunk
};

/// Whether the event means anything in this state; others are ignored by `after`.
bool applies(RunState state, Event::Kind kind);

/// The run after the event: state, cause and counters. The caller keeps job and times.
storage::RunRow after(storage::RunRow run, const Event& event);

}  // namespace hyscale::scheduler
