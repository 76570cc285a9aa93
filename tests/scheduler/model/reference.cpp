#include "tests/scheduler/model/reference.h"

#include <algorithm>

namespace hyscale::scheduler::model {

using cluster::EndCause;
using Is = Truth::Is;

Reference::Run& Reference::find(const std::string& id) {
  return *std::find_if(runs.begin(), runs.end(), [&](const Run& run) { return run.id == id; });
}

void Reference::end_as(Run& run, const std::string& state) { run.state = state, run.cancel_asked = false; }

void Reference::cancel(const std::string& id) {
  Run& run = find(id);
  if (run.state == "active") run.cancel_asked = true;
  if (run.state == "planned") end_as(run, "cancelled");
}

void Reference::retry(const std::string& id) {
  Run& run = find(id);
  if (run.state != "failed" && run.state != "cancelled" && run.state != "lost") return;
  run.own_faults = run.node_faults = run.memory_faults = 0;
  end_as(run, "planned");
}

void Reference::again(Run& run, int& counter, int retries, const std::string& otherwise) {
  end_as(run, ++counter <= retries ? "planned" : otherwise);
}

bool Reference::trunk_may_come(const Run& run, const World& world) {
  if (run.parent.empty() || world.step_of(run.parent) >= kBranchStep) return true;
  const std::string& trunk = find(run.parent).state;
  return trunk == "active" || trunk == "done";
}

void Reference::own_end(Run& run, int exit_code, int signal, bool advanced) {
  if (signal == 0 && exit_code == 2) return end_as(run, "failed");
  if (signal == 0 && exit_code == 3) return again(run, run.memory_faults, 4);
  if (signal != 0 || exit_code != 75 || !advanced) return again(run, run.own_faults, 1);
  ++run.requeues;
  end_as(run, "planned");
}

void Reference::take_in(Run& run, const Truth& truth, const World& world) {
  const int restarts = std::max(truth.launches - 1, 0);
  run.requeues += restarts - truth.node_failures, run.node_faults += truth.node_failures;
  const bool diverged = truth.said_itself && truth.exit_code == 4;
  const bool finished = !diverged && world.runs.contains(run.id) && world.runs.at(run.id).finished;
  const bool advanced = world.step_of(run.id) > run.last_step;
  run.last_step = std::max(run.last_step, world.step_of(run.id));
  if (finished) return end_as(run, "done");
  if (diverged) return end_as(run, "diverged");
  if (run.cancel_asked) return end_as(run, "cancelled");
  if (truth.is == Is::never_queued || truth.cause == EndCause::not_begun) return end_as(run, "planned");
  const bool nobody_knows = truth.is == Is::forgotten || truth.cause == EndCause::cancelled_outside;
  if (nobody_knows && !trunk_may_come(run, world)) return end_as(run, "planned");
  if (truth.is == Is::forgotten) return again(run, run.node_faults, 5, "lost");
  if (truth.cause == EndCause::cancelled_outside) return end_as(run, "cancelled");
  if (truth.cause == EndCause::node_failure || truth.silent) return again(run, run.node_faults, 5);
  if (truth.cause == EndCause::own_exit) return own_end(run, truth.exit_code, truth.signal, advanced);
  // Preempted, or at its time limit: free while steps advance.
  if (!advanced && truth.cause == EndCause::preempted) return again(run, run.node_faults, 5);
  own_end(run, 75, 0, advanced);
}

void Reference::collect(const std::function<Truth(const Run&)>& truth_of, const World& world) {
  for (Run& run : runs) {
    if (run.state != "active") continue;
    const Truth truth = truth_of(run);
    if (truth.is == Is::waiting || truth.is == Is::running) continue;
    if (!world.deaf || truth.said_itself) take_in(run, truth, world);
  }
  for (Run& run : runs) {
    if (run.state != "planned") continue;
    const bool starts_from_trunk = !run.parent.empty() && world.step_of(run.id) == 0;
    if (starts_from_trunk && world.step_of(run.parent) < kBranchStep && find(run.parent).is_final()) {
      end_as(run, find(run.parent).state);
      continue;
    }
    run.state = "active";
    ++run.attempts;
  }
}

}  // namespace hyscale::scheduler::model
