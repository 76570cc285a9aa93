#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <sstream>
#include <thread>

#include <nlohmann/json.hpp>

#include "scheduler/commands.h"
#include "scheduler/plan_cost.h"
#include "scheduler/planning.h"
#include "scheduler/worker_job.h"

namespace hyscale::scheduler {
namespace {

struct PlanArguments {
  std::string spec;
  bool json = false, probe = false;
};

/// A plan, and what the store says about it.
struct Outlook {
  studies::Plan plan;
  std::map<std::string, std::string> done;  // runs of the plan by id, and the studies that want them
  Speed speed;
  PlanCost cost;
  studies::Resources resources;
};

std::map<std::string, std::string> done_already(const studies::Plan& plan, const storage::Database& database) {
  std::unordered_map<std::string, std::string> finished;
  for (storage::FinishedRow& row : database.finished_runs())
    if (row.state == "done") finished.emplace(std::move(row.run_id), std::move(row.studies));
  std::map<std::string, std::string> done;
  for (const studies::PlannedRun& run : plan.runs)
    if (const auto found = finished.find(run.run_id); found != finished.end()) done.insert(*found);
  return done;
}

Outlook look_ahead(const PlanArguments& arguments, const std::string& store) {
  Outlook o{.plan = plan_study(arguments.spec, store), .done = {}, .speed = {}, .cost = {}, .resources = {}};
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  o.resources = resolve(o.plan.spec.resources, 0, cores).resources;
  if (storage::has_database(store)) {
    const storage::Database database(store, storage::Database::Mode::read);
    o.done = done_already(o.plan, database);
    o.speed = speed_of_finished_runs(database, o.resources);
  }
  if (arguments.probe) o.speed = probe(o.plan, o.resources, find_worker(), o.done);
  o.cost = cost_of(o.plan, o.resources, o.speed, o.done);
  return o;
}

/// How many of the done runs each study has.
std::map<std::string, int> done_by_study(const Outlook& o) {
  std::map<std::string, int> count;
  for (const auto& [run, studies] : o.done) {
    std::istringstream names(studies);
    for (std::string name; std::getline(names, name, ',');) ++count[name];
  }
  return count;
}

std::string json_members(const Outlook& o) {
  nlohmann::ordered_json ids = nlohmann::ordered_json::array();
  for (const auto& [run, studies] : o.done) ids.push_back(run);
  const bool timed = !o.speed.how.empty() || o.cost.runs == 0,
             priced = o.resources.price_per_gpu_hour + o.resources.price_per_core_hour > 0;
  const auto known = [](bool is, double value) {
    return is ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
  };
  const nlohmann::ordered_json estimate{{"runs", o.cost.runs},
                                        {"flops", o.cost.flops},
                                        {"speed_from", o.speed.how},
                                        {"device", o.speed.device},
                                        {"hours", known(timed, o.cost.hours)},
                                        {"gpu_hours", known(timed, o.cost.gpu_hours)},
                                        {"core_hours", known(timed, o.cost.core_hours)},
                                        {"money", known(timed && priced, o.cost.money)},
                                        {"disk_bytes", o.cost.disk_bytes},
                                        {"memory_bytes_per_rank", o.cost.memory_bytes}};
  return fmt::format("\"already_done\":{},\n\"done_by\":{},\n\"estimate\":{}", ids.dump(),
                     nlohmann::ordered_json(done_by_study(o)).dump(), estimate.dump());
}

std::string time_text(const Outlook& o) {
  if (o.cost.runs == 0) return "time: none\n";
  if (o.speed.how.empty()) return "time: not known, no finished run of this store had these resources (try --probe)\n";
  const bool gpu = on_gpu(o.resources);
  std::string text = fmt::format("time: {:.3g} {} on {}, by {}", gpu ? o.cost.gpu_hours : o.cost.core_hours,
                                 gpu ? "GPU-hours" : "core-hours", o.speed.device, o.speed.how);
  if (o.cost.money > 0) text += fmt::format(", which cost {:.2f}", o.cost.money);
  return text + "\n";
}

std::string outlook_text(const Outlook& o) {
  std::string by;
  for (const auto& [study, count] : done_by_study(o))
    by += fmt::format("{}{} of {}", by.empty() ? ": " : ", ", count, study);
  return fmt::format(
      "{} runs to train, {} done already{}\nto execute: {:.3g} FLOPs\n{}disk: {:.3g} GiB of checkpoints and "
      "curves\nmemory: {:.3g} GiB a rank at most\n",
      o.cost.runs, o.done.size(), by, o.cost.flops, time_text(o), o.cost.disk_bytes / 1073741824.0,
      o.cost.memory_bytes / 1073741824.0);
}

int show_plan(const PlanArguments& arguments, const std::string& store) {
  const Outlook o = look_ahead(arguments, store);
  if (arguments.json)
    fmt::print("{}", studies::plan_json(o.plan, json_members(o)));
  else
    fmt::print("{}\n{}", studies::plan_text(o.plan), outlook_text(o));
  return 0;
}

}  // namespace

void add_plan_command(CLI::App& app, Study& study) {
  CLI::App* command = app.add_subcommand("plan", "Show every run of a study, its cost, and every rejected cell");
  const auto arguments = std::make_shared<PlanArguments>();
  command->add_option("SPEC", arguments->spec, "The study's spec, a YAML file")->required();
  command->add_flag("--probe", arguments->probe, "Time a few steps of each shape here, for the hours it will take");
  command->add_flag("--json", arguments->json, "Machine-readable");
  command->footer(
      "Submits nothing. Hours come from finished runs of the store on the same kind of device, or from --probe;\n"
      "resources.price_per_gpu_hour or price_per_core_hour turns them into money.\n"
      "Example:\n  study plan quickstart.yaml --store ./store\n  study plan quickstart.yaml --probe --json");
  command->callback(
      [&study, arguments] { study.body = [&study, arguments] { return show_plan(*arguments, store_path(study)); }; });
}

void add_schema_command(CLI::App& app, Study& study) {
  CLI::App* command = app.add_subcommand("schema", "Print the JSON Schema of a study's spec");
  command->footer("Editors check a spec against it while it is written.\nExample:\n  study schema > study.schema.json");
  command->callback([&study] {
    study.body = [] {
      fmt::print("{}", studies::study_schema());
      return 0;
    };
  });
}

}  // namespace hyscale::scheduler
