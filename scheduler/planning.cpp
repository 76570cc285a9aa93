#include "scheduler/planning.h"

#include <limits>

#include "core/base/error.h"
#include "core/spec/run_config.h"

namespace hyscale::scheduler {
namespace {

// A person who changes the rule wants other warm-ups; a spec that can no longer be read says nothing.
bool has_the_same_warmup_rule(const storage::StudyRow& stored, const studies::StudySpec& spec) {
  try {
    const studies::ScheduleRule before = studies::parse_study_spec(stored.spec, stored.name).schedule;
    return before.kind == spec.schedule.kind && before.warmup == spec.schedule.warmup;
  } catch (const ConfigError&) {
    return false;
  }
}

void add_warmups(const storage::Database& database, const studies::StudySpec& spec, studies::Known& known) {
  const auto stored = database.study(spec.name);
  if (!stored || spec.schedule.warmup == 0 || !has_the_same_warmup_rule(*stored, spec)) return;
  std::unordered_map<std::string, int64_t> contexts;
  for (const storage::RunRow& run : database.runs(spec.name, storage::Database::Configs::left_out))
    contexts[run.run_id] = run.figures.context;
  for (const storage::CellRow& cell : database.cells(spec.name)) {
    const auto [place, is_new] =
        known.warmups.try_emplace({cell.family, cell.size, contexts.at(cell.run_id), cell.axes});
    if (!is_new) continue;
    const spec::TrainConfig train =
        spec::parse_run_config(database.run(cell.run_id)->config, "run " + cell.run_id).train;
    place->second = {train.schedule.warmup_tokens, train.batch_tokens};
  }
}

}  // namespace

studies::Known known_of(const storage::Database& database, const studies::StudySpec& spec) {
  studies::Known known;
  add_warmups(database, spec, known);
  if (spec.learning_rate.carry)
    for (const storage::FinishedRow& run : database.finished_runs())
      known.losses[run.run_id] = run.state == "done" ? run.loss : std::numeric_limits<double>::infinity();
  return known;
}

studies::Plan plan_study(const std::string& spec, const std::string& store) {
  const studies::StudySpec read = studies::load_study_spec(spec);
  studies::Known known;
  if (storage::has_database(store)) known = known_of(storage::Database(store, storage::Database::Mode::read), read);
  return studies::make_plan(read, store, known);
}

}  // namespace hyscale::scheduler
