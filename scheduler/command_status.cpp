#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <sstream>

#include <nlohmann/json.hpp>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "scheduler/background.h"
#include "scheduler/commands.h"
#include "scheduler/find_run.h"
#include "scheduler/standing.h"
#include "scheduler/watch.h"

namespace hyscale::scheduler {
namespace {

struct Named {
  std::string study, run;
  bool json = false, all = false;
  size_t lines = 40;
};

constexpr size_t kShown = 20;  // running and troubled runs, unless all are asked for

storage::Database reader(const Study& study) { return {store_path(study), storage::Database::Mode::read}; }

int show_status(const Study& study, const Named& arguments) {
  const storage::Database database = reader(study);
  const StoreRunFiles files(database.store());
  const auto look = [&] {
    if (arguments.json) return standing(database, files, arguments.study);
    if (arguments.all) return standing(database, files, arguments.study, Losses::left_out);
    return brief_standing(database, files, arguments.study, kShown);
  };
  // A driver that was killed is replaced by whoever looks next.
  const Driven driven = ensure_driver(database, arguments.study);
  Standing s = look();
  for (int i = 0; i < 50 && driven == Driven::by_another && !s.driver && !s.finished(); ++i) {
    Clock::system().sleep(0.02);
    s = look();
  }
  fmt::print("{}", arguments.json ? to_json(s) : to_text(s, arguments.all ? s.runs.size() : kShown));
  return 0;
}

/// The path and the last lines of the file.
void print_end(const std::string& path, size_t most) {
  std::istringstream text(read_file(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  fmt::print("{}\n", path);
  for (size_t i = lines.size() - std::min(lines.size(), most); i < lines.size(); ++i) fmt::print("{}\n", lines[i]);
}

int show_all_logs(const storage::Database& database, const Named& arguments) {
  fmt::print("{}", logs_text(standing(database, StoreRunFiles(database.store()), arguments.study, Losses::left_out)));
  const std::string path = driver_log(database.store(), arguments.study);
  std::error_code absent;
  if (std::filesystem::file_size(path, absent) > 0 && !absent) {
    fmt::print("\nthe study's driver says: ");
    print_end(path, arguments.lines);
  }
  return 0;
}

int show_log(const Study& study, const Named& arguments) {
  const storage::Database database = reader(study);
  if (arguments.run.empty()) return show_all_logs(database, arguments);
  const storage::RunRow run = find_run(database, arguments.study, arguments.run);
  const std::string path = log_path(database.store(), run);
  if (!std::filesystem::exists(path))
    throw ConfigError({.what = fmt::format("run {} has no log yet: it is {}", short_id(run.run_id), run.state)});
  print_end(path, arguments.lines);
  return 0;
}

int list_studies(const Study& study, bool json) {
  const storage::Database database = reader(study);
  const StoreRunFiles files(database.store());
  auto all = nlohmann::ordered_json::array();
  for (const storage::StudyRow& row : database.studies()) {
    const Standing s = brief_standing(database, files, row.name, 0);
    if (json)
      all.push_back({{"study", row.name},
                     {"submitted", format_utc(row.updated)},
                     {"runs", s.total()},
                     {"counts", s.counts},
                     {"rejected", database.rejected(row.name).size()},
                     {"spec_sha256", row.spec_sha256},
                     {"commit", row.commit}});
    else
      fmt::print("{:<24}  {}  {}\n", row.name, format_utc(row.updated), summary_line(s));
  }
  if (json) fmt::print("{}\n", all.dump(2));
  return 0;
}

}  // namespace

void add_status_command(CLI::App& app, Study& study) {
  CLI::App* command = app.add_subcommand("status", "Where a study stands: counts, running runs, failures");
  const auto arguments = std::make_shared<Named>();
  command->add_option("NAME", arguments->study, "The study")->required();
  auto* json = command->add_flag("--json", arguments->json, "Machine-readable, every run");
  command->add_flag("--all", arguments->all, "Every running and every troubled run, not only the first of them")
      ->excludes(json);
  command->footer("Starts the study's driver again if that was killed.\nExample:\n  study status quickstart --json");
  command->callback([&study, arguments] { study.body = [&, arguments] { return show_status(study, *arguments); }; });
}

void add_watch_command(CLI::App& app, Study& study) {
  CLI::App* command = app.add_subcommand("watch", "Show progress until the study has ended");
  const auto name = std::make_shared<std::string>();
  command->add_option("NAME", *name, "The study")->required();
  command->footer("Exits 0 when every run is done, else 1.\nExample:\n  study watch quickstart");
  command->callback([&study, name] { study.body = [&study, name] { return watch(store_path(study), *name); }; });
}

void add_logs_command(CLI::App& app, Study& study) {
  CLI::App* command = app.add_subcommand("logs", "The end of a run's log, or where all logs are");
  const auto arguments = std::make_shared<Named>();
  command->add_option("NAME", arguments->study, "The study")->required();
  command->add_option("RUN", arguments->run, "Run id, or its first digits; without it: every run's state and log");
  command->add_option("-n,--lines", arguments->lines, "How many lines")->capture_default_str();
  command->footer("Example:\n  study logs quickstart\n  study logs quickstart 3f2a91");
  command->callback([&study, arguments] { study.body = [&, arguments] { return show_log(study, *arguments); }; });
}

void add_list_command(CLI::App& app, Study& study) {
  CLI::App* command = app.add_subcommand("list", "The studies of a store");
  const auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Machine-readable");
  command->footer("Example:\n  study list --store ./store");
  command->callback([&study, json] { study.body = [&study, json] { return list_studies(study, *json); }; });
}

}  // namespace hyscale::scheduler
