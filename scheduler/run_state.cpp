#include "scheduler/run_state.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/exit_code.h"

namespace hyscale::scheduler {
namespace {

using storage::RunRow;

constexpr std::array<const char*, 8> kNames = {"planned",  "submitted", "running",   "done",
                                               "diverged", "failed",    "cancelled", "lost"};

void become(RunRow& run, RunState state, std::string cause = "") {
  run.state = to_string(state);
  run.cause = std::move(cause);
  if (state != RunState::submitted && state != RunState::running) run.cancel_asked = false;
}

/// Another attempt while the counter allows it, else failed.
void again_or_fail(RunRow& run, int& counter, int retries, const std::string& cause) {
  ++counter;
  become(run, counter <= retries ? RunState::planned : RunState::failed, cause);
}

std::string with_message(std::string cause, const std::string& message) {
  return message.empty() ? cause : cause + ": " + message;
}

std::string fault_of(const Event& event) {
  if (event.signal != 0)
    return with_message(fmt::format("killed by signal {} ({})", event.signal, ::strsignal(event.signal)),
                        event.message);
  if (event.exit_code == static_cast<int>(ExitCode::done))
    return with_message("the worker ended without a final record", event.message);
  return with_message(fmt::format("the worker failed with exit code {}", event.exit_code), event.message);
}

void apply_requeue(RunRow& run, bool advanced) {
  if (!advanced)
    return again_or_fail(run, run.own_faults, kOwnFaultRetries, "stopped by request without having advanced a step");
  ++run.requeues;
  become(run, RunState::planned, "checkpointed and stopped by request");
}

/// What something outside the worker has ended. False: the worker's own exit says more.
bool apply_outer_cause(RunRow& run, const Event& event, bool advanced) {
  using cluster::EndCause;
  const auto cause = [&](const char* text) { return with_message(text, event.message); };
  switch (event.cause) {
    case EndCause::own_exit:
      return false;
    case EndCause::not_begun:
      become(run, RunState::planned, cause("its job has not begun"));
      return true;
    case EndCause::vanished:
      again_or_fail(run, run.node_faults, kNodeFaultRetries, cause("its job vanished"));
      if (run.state == to_string(RunState::failed)) run.state = to_string(RunState::lost);  // nobody knows why
      return true;
    case EndCause::cancelled_outside:
      become(run, RunState::cancelled, cause("cancelled from outside"));
      return true;
    case EndCause::node_failure:
      again_or_fail(run, run.node_faults, kNodeFaultRetries, cause("the node failed"));
      return true;
    case EndCause::out_of_memory:
      again_or_fail(run, run.memory_faults, event.can_shrink ? kMemoryRetries : 0, cause("out of memory"));
      return true;
    case EndCause::preempted:
    case EndCause::time_limit:
      break;
  }
  const bool preempted = event.cause == EndCause::preempted;
  if (advanced) {
    ++run.requeues;
    become(run, RunState::planned, cause(preempted ? "preempted" : "stopped at the time limit"));
  } else if (preempted) {
    again_or_fail(run, run.node_faults, kNodeFaultRetries, cause("preempted before it advanced a step"));
  } else {
    again_or_fail(run, run.own_faults, kOwnFaultRetries, cause("the time limit came before it advanced a step"));
  }
  return true;
}

/// What the batch system mended by itself counts, but stops nothing.
void count_restarts(RunRow& run, const Event& event) {
  run.requeues += event.restarts - event.node_failures;
  run.node_faults += event.node_failures;
}

void apply_end(RunRow& run, const Event& event) {
  const bool advanced = event.step > run.last_step;
  run.last_step = std::max(run.last_step, event.step);
  count_restarts(run, event);
  if (event.signal == 0 && event.exit_code == static_cast<int>(ExitCode::diverged))
    return become(run, RunState::diverged, with_message("the loss is not finite", event.message));
  if (run.cancel_asked) return become(run, RunState::cancelled, "cancelled on request");
  if (event.kind == Event::Kind::ended && apply_outer_cause(run, event, advanced)) return;
  if (event.kind == Event::Kind::gone)
    return again_or_fail(run, run.node_faults, kNodeFaultRetries, "its processes vanished");
  if (event.signal != 0) return again_or_fail(run, run.own_faults, kOwnFaultRetries, fault_of(event));
  switch (event.exit_code) {
    case static_cast<int>(ExitCode::requeue):
      return apply_requeue(run, advanced);
    case static_cast<int>(ExitCode::bad_input):
      return become(run, RunState::failed, with_message("bad configuration", event.message));
    case static_cast<int>(ExitCode::out_of_memory):
      return again_or_fail(run, run.memory_faults, event.can_shrink ? kMemoryRetries : 0,
                           with_message("out of memory", event.message));
    default:
      return again_or_fail(run, run.own_faults, kOwnFaultRetries, fault_of(event));
  }
}

void apply_cancel(RunRow& run) {
  if (is_active(state_of(run)))
    run.cancel_asked = true;  // cancelled once the job has ended
  else
    become(run, RunState::cancelled, "cancelled on request");
}

void apply_retry(RunRow& run) {
  run.own_faults = run.node_faults = run.memory_faults = 0;
  become(run, RunState::planned, "to be tried again on request");
}

}  // namespace

std::string to_string(RunState state) { return kNames[static_cast<size_t>(state)]; }

RunState state_named(const std::string& name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end())
    throw DamagedFile(
        {.what = fmt::format("a run is in state '{}', which is none", name), .remedy = "study collect NAME --rebuild"});
  return static_cast<RunState>(found - kNames.begin());
}
RunState state_of(const RunRow& run) { return state_named(run.state); }

bool is_active(RunState state) { return state == RunState::submitted || state == RunState::running; }
bool is_final(RunState state) { return state != RunState::planned && !is_active(state); }

bool applies(RunState state, Event::Kind kind) {
  switch (kind) {
    case Event::Kind::launched:
    case Event::Kind::trunk_is_final:
      return state == RunState::planned;
    case Event::Kind::started:
      return state == RunState::submitted;
    case Event::Kind::finished:
      return state != RunState::done;
    case Event::Kind::ended:
    case Event::Kind::gone:
    case Event::Kind::out_of_sight:
      return is_active(state);
    case Event::Kind::cancel:
      return !is_final(state);
    case Event::Kind::retry:
      return state == RunState::failed || state == RunState::cancelled || state == RunState::lost;
  }
  return false;
}

RunRow after(RunRow run, const Event& event) {
  if (!applies(state_of(run), event.kind)) return run;
  switch (event.kind) {
    case Event::Kind::launched:
      ++run.attempts;
      become(run, RunState::submitted);
      break;
    case Event::Kind::started:
      run.state = to_string(RunState::running);
      break;
    case Event::Kind::finished:
      count_restarts(run, event);
      become(run, RunState::done);
      break;
    case Event::Kind::ended:
    case Event::Kind::gone:
      apply_end(run, event);
      break;
    case Event::Kind::out_of_sight:
      become(run, RunState::lost, with_message("nothing could be learnt about its job", event.message));
      break;
    case Event::Kind::cancel:
      apply_cancel(run);
      break;
    case Event::Kind::retry:
      apply_retry(run);
      break;
    case Event::Kind::trunk_is_final:
      become(run, event.trunk, event.message);
      break;
  }
  return run;
}

}  // namespace hyscale::scheduler
