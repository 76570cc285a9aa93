#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <set>

#include <nlohmann/json.hpp>

#include "scheduler/commands.h"
#include "scheduler/planning.h"
#include "storage/db/database.h"
#include "studies/plan.h"

namespace hyscale::scheduler {
namespace {

struct PlanArguments {
  std::string spec;
  bool json = false;
};

/// The ids of the plan's runs that are trained already, by whichever study.
std::set<std::string> done_already(const studies::Plan& plan, const std::string& store) {
  std::set<std::string> done;
  if (!std::filesystem::exists(storage::database_path(store))) return done;
  const storage::Database database(store, storage::Database::Mode::read);
  for (const studies::PlannedRun& run : plan.runs)
    if (const auto known = database.run(run.run_id); known && known->state == "done") done.insert(run.run_id);
  return done;
}

int show_plan(const PlanArguments& arguments, const std::string& store) {
  const studies::Plan plan = plan_study(arguments.spec, store);
  const auto done = done_already(plan, store);
  if (arguments.json) {
    auto json = nlohmann::ordered_json::parse(studies::plan_json(plan));
    json["already_done"] = done;
    fmt::print("{}\n", json.dump(2));
    return 0;
  }
  std::set<std::string> ids;
  for (const studies::PlannedRun& run : plan.runs) ids.insert(run.run_id);
  fmt::print("{}\n{} runs to train, {} of them done already\n", studies::plan_text(plan), ids.size(), done.size());
  return 0;
}

}  // namespace

void add_plan_command(CLI::App& app, Study& study) {
  CLI::App* command = app.add_subcommand("plan", "Show every run of a study, its cost, and every rejected cell");
  const auto arguments = std::make_shared<PlanArguments>();
  command->add_option("SPEC", arguments->spec, "The study's spec, a YAML file")->required();
  command->add_flag("--json", arguments->json, "Machine-readable");
  command->footer("Example:\n  study plan quickstart.yaml --store ./store");
  command->callback(
      [&study, arguments] { study.body = [&study, arguments] { return show_plan(*arguments, store_path(study)); }; });
}

}  // namespace hyscale::scheduler
