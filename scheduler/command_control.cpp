#include <fmt/format.h>
#include <map>
#include <memory>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/process.h"
#include "scheduler/background.h"
#include "scheduler/commands.h"
#include "scheduler/drive.h"
#include "scheduler/driver.h"
#include "scheduler/find_run.h"
#include "scheduler/rebuild.h"
#include "scheduler/settings.h"
#include "scheduler/standing.h"

namespace hyscale::scheduler {
namespace {

struct ControlArguments {
  std::string study, run;
  bool failed = false, rebuild = false;
  double grace = 60;  // seconds
};

storage::Database writer(const Study& study) { return {store_path(study), storage::Database::Mode::write}; }

/// Applies the event to every chosen run it means something to; returns how many.
int apply_to(storage::Database& database, const std::vector<storage::RunRow>& runs, Event::Kind kind) {
  int changed = 0;
  database.transaction([&] {
    changed = 0;
    for (const storage::RunRow& run : runs) {
      const auto now = database.run(run.run_id);
      if (!now || !applies(state_of(*now), kind)) continue;
      database.update_run(after(*now, {.kind = kind}));
      ++changed;
    }
  });
  return changed;
}

std::vector<storage::RunRow> chosen(const storage::Database& database, const ControlArguments& arguments) {
  check_study(database, arguments.study);
  if (arguments.run.empty()) return database.runs(arguments.study);
  return {find_run(database, arguments.study, arguments.run)};
}

int count_active(const storage::Database& database, const std::vector<storage::RunRow>& runs) {
  int active = 0;
  for (const storage::RunRow& run : runs) active += is_active(state_of(*database.run(run.run_id))) ? 1 : 0;
  return active;
}

void stop_jobs(const storage::Database& database, const std::string& study, const std::vector<storage::RunRow>& runs,
               cluster::Backend::Cancel how) {
  const StoreRunFiles files(database.store());
  std::map<std::string, std::vector<cluster::JobHandle>> jobs;  // by back end
  for (const storage::RunRow& run : runs) {
    const auto now = database.run(run.run_id);
    if (!is_active(state_of(*now))) continue;
    files.ask_to_stop(run.run_id, now->attempts);
    jobs[now->backend].push_back(job_of(*now));
  }
  const Settings settings = settings_of(database, study);
  for (const auto& [backend, its] : jobs) backend_for(backend, database.store(), study, settings)->cancel(its, how);
}

/// The driver takes in how the jobs ended; this only waits for it. False: some are still there after `seconds`.
bool wait_for_end(const storage::Database& database, const ControlArguments& arguments,
                  const std::vector<storage::RunRow>& runs, double seconds) {
  const Clock& clock = Clock::system();
  const double until = clock.steady_seconds() + seconds;
  double next_driver = 0;
  while (count_active(database, runs) > 0) {
    if (clock.steady_seconds() > until) return false;
    if (clock.steady_seconds() > next_driver) {
      ensure_driver(database, arguments.study);
      next_driver = clock.steady_seconds() + 2;
    }
    clock.sleep(0.05);
  }
  return true;
}

void tell_of_sharing(const storage::Database& database, const std::string& study,
                     const std::vector<storage::RunRow>& runs) {
  std::map<std::string, int> others;
  for (const storage::RunRow& run : runs)
    if (database.run(run.run_id)->state == "cancelled")
      for (const std::string& name : database.studies_of(run.run_id))
        if (name != study) ++others[name];
  for (const auto& [name, count] : others)
    log::warn(fmt::format("{} of them belong to study {} as well; study retry {} runs them again", count, name, name));
}

int cancel(const Study& study, const ControlArguments& arguments) {
  storage::Database database = writer(study);
  const auto runs = chosen(database, arguments);
  const int cancelled = apply_to(database, runs, Event::Kind::cancel);
  const int active = count_active(database, runs);
  if (active > 0) log::info(fmt::format("asking {} running runs to stop at their next step", active));
  if (arguments.run.empty()) withdraw_report(database.store(), arguments.study, settings_of(database, arguments.study));
  stop_jobs(database, arguments.study, runs, cluster::Backend::Cancel::ask);
  if (!wait_for_end(database, arguments, runs, arguments.grace)) {
    log::warn(fmt::format("{} runs have not stopped in {:.0f} s: killing them", count_active(database, runs),
                          arguments.grace));
    stop_jobs(database, arguments.study, runs, cluster::Backend::Cancel::kill);
    wait_for_end(database, arguments, runs, 10);
  }
  tell_of_sharing(database, arguments.study, runs);
  fmt::print("study {}: {} runs cancelled; study retry {} runs them again\n", arguments.study, cancelled,
             arguments.study);
  return static_cast<int>(count_active(database, runs) == 0 ? ExitCode::done : ExitCode::failed);
}

/// A branch whose trunk cannot give it a start needs the trunk to run again too.
void add_trunks(const storage::Database& database, const std::string& study, std::vector<storage::RunRow>& runs) {
  for (const storage::CellRow& cell : database.cells(study))
    for (size_t i = 0; i < runs.size(); ++i)
      if (runs[i].run_id == cell.run_id && !cell.parent.empty())
        if (const auto trunk = database.run(cell.parent)) runs.push_back(*trunk);
}

/// A study that was made anew waits until a person asks for more of it.
void adopt(storage::Database& database, const std::string& study) {
  storage::StudyRow row = *database.study(study);
  Settings settings = settings_from_json(row.settings);
  if (!settings.waits && (!settings.host.empty() || settings.on == "slurm")) return;
  settings.waits = false;
  if (settings.on != "slurm") settings.host = host_name();
  row.settings = to_json(settings);
  database.put_study(row);
}

int retry(const Study& study, const ControlArguments& arguments) {
  storage::Database database = writer(study);
  auto runs = chosen(database, arguments);
  if (arguments.failed) std::erase_if(runs, [](const storage::RunRow& run) { return run.state != "failed"; });
  if (!arguments.run.empty()) {
    if (runs.front().state == "diverged")
      throw ConfigError({.what = "run " + short_id(runs.front().run_id) + " has diverged",
                         .why = "the same config gives the same bits, hence diverges again",
                         .remedy = "change its learning rate in the spec and submit that"});
    add_trunks(database, arguments.study, runs);
  }
  const int again = apply_to(database, runs, Event::Kind::retry);
  adopt(database, arguments.study);
  fmt::print("study {}: {} runs will be tried again\n", arguments.study, again);
  if (ensure_driver(database, arguments.study) == Driven::no)
    throw ConfigError(
        Problem{.what = "the study was submitted on another host", .remedy = "go there, or submit its spec here"});
  return 0;
}

int collect(const Study& study, const ControlArguments& arguments) {
  const std::string store = store_path(study);
  if (arguments.rebuild) {
    const Rebuilt r = rebuild_database(store);
    fmt::print("rebuilt {}: {} studies, {} runs, {} of them done, {} running\n", storage::database_path(store),
               r.studies, r.runs, r.done, r.running);
    if (!arguments.study.empty()) check_study({store, storage::Database::Mode::read}, arguments.study);
    return 0;
  }
  storage::Database database = writer(study);
  check_study(database, arguments.study);
  const StoreRunFiles files(store);
  const auto done = [&](const Standing& s) { return s.counts.contains("done") ? s.counts.at("done") : 0; };
  const int before = done(standing(database, files, arguments.study, Losses::left_out));
  collect_results(database, arguments.study);
  ensure_driver(database, arguments.study);  // takes in those whose jobs have ended
  const Standing now = standing(database, files, arguments.study, Losses::left_out);
  fmt::print("study {}: {} results taken in\n{}\n", arguments.study, done(now) - before, summary_line(now));
  return 0;
}

}  // namespace

void add_cancel_command(CLI::App& app, Study& study) {
  CLI::App* command = app.add_subcommand("cancel", "Stop a study's running runs and start no more");
  const auto arguments = std::make_shared<ControlArguments>();
  command->add_option("NAME", arguments->study, "The study")->required();
  command->add_option("--run", arguments->run, "This run alone (id, or its first digits)");
  command->add_option("--grace", arguments->grace, "Seconds to checkpoint in before a run is killed")
      ->capture_default_str();
  command->footer("Example:\n  study cancel quickstart");
  command->callback([&study, arguments] { study.body = [&, arguments] { return cancel(study, *arguments); }; });
}

void add_retry_command(CLI::App& app, Study& study) {
  CLI::App* command = app.add_subcommand("retry", "Run failed, cancelled and lost runs again, from their checkpoints");
  const auto arguments = std::make_shared<ControlArguments>();
  command->add_option("NAME", arguments->study, "The study")->required();
  auto* failed = command->add_flag("--failed", arguments->failed, "Failed runs only");
  command->add_option("--run", arguments->run, "This run alone (id, or its first digits)")->excludes(failed);
  command->footer("Example:\n  study retry quickstart --failed");
  command->callback([&study, arguments] { study.body = [&, arguments] { return retry(study, *arguments); }; });
}

void add_collect_command(CLI::App& app, Study& study) {
  CLI::App* command = app.add_subcommand("collect", "Take finished runs' results into the database");
  const auto arguments = std::make_shared<ControlArguments>();
  command->add_option("NAME", arguments->study, "The study");
  command->add_flag("--rebuild", arguments->rebuild, "Make the whole database again from what the store holds");
  command->footer(
      "The driver collects by itself; --rebuild mends a damaged or lost database.\n"
      "Example:\n  study collect quickstart --rebuild");
  command->callback([&study, arguments] {
    if (arguments->study.empty() && !arguments->rebuild) throw CLI::RequiredError("NAME");
    study.body = [&, arguments] { return collect(study, *arguments); };
  });
}

}  // namespace hyscale::scheduler
