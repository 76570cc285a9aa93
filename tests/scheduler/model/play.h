#pragma once

#include <optional>
#include <string>
#include <vector>

namespace hyscale::scheduler::model {

/// One thing that happens. `which` chooses among those to which it can happen, modulo their number: a case means
/// something however many of its steps are left out.
struct Step {
  enum class Kind {
    submit,
    cancel,
    retry,
    collect,
    collect_killed_before,
    collect_killed_after,
    collect_deaf,
    collect_not_taken,
    collect_answer_lost,
    collect_taken_late,
    controller_restarts,
    controller_loses,
    start,
    progress,
    finish,
    fails,
    killed,
    out_of_memory,
    bad_input,
    diverges,
    stops,
    preempted,
    preempted_for_good,
    time_limit,
    node_crashes,
    node_fails,
    record_then_crash,
    keeper_dies,
    scancel,
    end_of_list
  } kind;
  unsigned which = 0;
};
std::string to_string(const std::vector<Step>& steps);

struct Figures {
  int collects = 0, compared = 0, done = 0, runs = 0;
};

/// Plays the steps on a fresh store, then lets everything end well. nullopt: the scheduler was in the reference's state
/// after every collect, and nothing happened that must not; else what is wrong.
std::optional<std::string> play(const std::vector<Step>& steps, bool accounting, Figures& figures);

/// The shortest case that it finds by leaving steps out for which `fails` still holds.
template <class Fails>
std::vector<Step> shrunk(std::vector<Step> steps, Fails fails) {
  for (size_t part = steps.size() / 2; part >= 1; part /= 2)
    for (size_t first = 0; first < steps.size();) {
      std::vector<Step> fewer(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(first));
      if (first + part < steps.size())
        fewer.insert(fewer.end(), steps.begin() + static_cast<std::ptrdiff_t>(first + part), steps.end());
      if (fails(fewer))
        steps = std::move(fewer);
      else
        first += part;
    }
  return steps;
}

}  // namespace hyscale::scheduler::model
