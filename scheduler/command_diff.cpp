#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <set>

#include <nlohmann/json.hpp>

#include "scheduler/commands.h"
#include "scheduler/config_diff.h"
#include "scheduler/find_run.h"
#include "scheduler/planning.h"
#include "scheduler/registration.h"
#include "scheduler/standing.h"

namespace hyscale::scheduler {
namespace {

using storage::CellRow;

struct DiffArguments {
  std::string study, other;
  bool json = false;
};

/// Cells with their configs, from the database or from a spec that is not submitted.
struct Side {
  std::vector<CellRow> cells;
  std::map<std::string, std::string> configs;  // by run id
};

Side from_database(const storage::Database& database, const std::string& study) {
  check_study(database, study);
  Side side{.cells = database.cells(study), .configs = {}};
  for (const storage::RunRow& run : database.runs(study)) side.configs[run.run_id] = run.config;
  return side;
}

Side from_spec(const std::string& spec, const std::string& store) {
  const studies::Plan plan = plan_study(spec, store);
  const Registration registration = registration_of(plan, resolve(plan.spec.resources, 0, 1));
  Side side{.cells = registration.cells, .configs = {}};
  for (const storage::RunRow& run : registration.runs) side.configs[run.run_id] = run.config;
  return side;
}

/// How alike two cells are; the most alike of the other side is the one to compare with.
int likeness(const CellRow& a, const CellRow& b) {
  int common = 0;
  common += a.family == b.family ? 16 : 0;
  common += a.size == b.size ? 8 : 0;
  common += a.budget_kind == b.budget_kind && a.budget == b.budget && a.axes == b.axes ? 4 : 0;
  common += a.seed == b.seed ? 2 : 0;
  common += a.lr == b.lr ? 1 : 0;
  return common;
}

std::vector<FieldChange> why_new(const CellRow& cell, const Side& before, const Side& after) {
  const CellRow* nearest = nullptr;
  for (const CellRow& other : before.cells)
    if (nearest == nullptr || likeness(cell, other) > likeness(cell, *nearest)) nearest = &other;
  if (nearest == nullptr) return {};
  return config_changes(before.configs.at(nearest->run_id), after.configs.at(cell.run_id));
}

std::vector<CellRow> only_in(const Side& side, const Side& other) {
  std::vector<CellRow> cells;
  std::set<std::string> shown;
  for (const CellRow& cell : side.cells)
    if (!other.configs.contains(cell.run_id) && shown.insert(cell.run_id).second) cells.push_back(cell);
  return cells;
}

std::string cell_text(const CellRow& cell) {
  return fmt::format("{}  {} {} seed {} {:.2e} {} lr {:g}{}{}", short_id(cell.run_id), cell.family, cell.size,
                     cell.seed, cell.budget, cell.budget_kind == "flops" ? "FLOPs" : cell.budget_kind, cell.lr,
                     cell.axes.empty() ? "" : " ", cell.axes);
}

void print_text(const Side& before, const Side& after, const std::vector<CellRow>& added,
                const std::vector<CellRow>& gone) {
  size_t kept = 0;
  for (const auto& [run_id, config] : after.configs) kept += before.configs.contains(run_id) ? 1 : 0;
  fmt::print("{} runs in both, {} new, {} gone\n", kept, added.size(), gone.size());
  for (const CellRow& cell : added) {
    fmt::print("+ {}\n", cell_text(cell));
    for (const FieldChange& change : why_new(cell, before, after))
      fmt::print("      {}: {} -> {}\n", change.path, change.before, change.after);
  }
  for (const CellRow& cell : gone) fmt::print("- {}\n", cell_text(cell));
}

nlohmann::ordered_json cell_json(const CellRow& cell) {
  return {{"run", cell.run_id},
          {"family", cell.family},
          {"size", cell.size},
          {"seed", cell.seed},
          {"budget_kind", cell.budget_kind},
          {"budget", cell.budget},
          {"budget_flops", cell.budget_flops},
          {"axes", cell.axes},
          {"lr", cell.lr}};
}

void print_json(const Side& before, const Side& after, const std::vector<CellRow>& added,
                const std::vector<CellRow>& gone) {
  nlohmann::ordered_json j{{"new", nlohmann::ordered_json::array()}, {"gone", nlohmann::ordered_json::array()}};
  for (const CellRow& cell : added) {
    auto entry = cell_json(cell);
    entry["because"] = nlohmann::ordered_json::array();
    for (const FieldChange& change : why_new(cell, before, after))
      entry["because"].push_back({{"field", change.path}, {"before", change.before}, {"after", change.after}});
    j["new"].push_back(std::move(entry));
  }
  for (const CellRow& cell : gone) j["gone"].push_back(cell_json(cell));
  fmt::print("{}\n", j.dump(2));
}

int diff(const DiffArguments& arguments, const std::string& store) {
  const storage::Database database(store, storage::Database::Mode::read);
  const Side before = from_database(database, arguments.study);
  const Side after = std::filesystem::exists(arguments.other) ? from_spec(arguments.other, store)
                                                              : from_database(database, arguments.other);
  (arguments.json ? print_json : print_text)(before, after, only_in(after, before), only_in(before, after));
  return 0;
}

}  // namespace

void add_diff_command(CLI::App& app, Study& study) {
  CLI::App* command =
      app.add_subcommand("diff", "Which runs a spec or another study has that this one has not, and why");
  const auto arguments = std::make_shared<DiffArguments>();
  command->add_option("NAME", arguments->study, "The study")->required();
  command->add_option("SPEC|NAME2", arguments->other, "A spec file, or another study of the store")->required();
  command->add_flag("--json", arguments->json, "Machine-readable");
  command->footer(
      "Below each new run stand the fields that make it differ from the nearest old one.\n"
      "Example:\n  study diff quickstart changed.yaml");
  command->callback(
      [&study, arguments] { study.body = [&study, arguments] { return diff(*arguments, store_path(study)); }; });
}

}  // namespace hyscale::scheduler
