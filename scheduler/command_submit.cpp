#include <csignal>
#include <fmt/format.h>
#include <memory>
#include <thread>

#include "cluster/local.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/process.h"
#include "scheduler/background.h"
#include "scheduler/commands.h"
#include "scheduler/driver.h"
#include "scheduler/planning.h"
#include "scheduler/registration.h"
#include "scheduler/watch.h"
#include "scheduler/worker_job.h"

namespace hyscale::scheduler {
namespace {

struct SubmitArguments {
  std::string spec, on = "local";
  int slots = 0;
  bool wait = false;
};

void check_backend(const std::string& on) {
  if (on == "local") return;
  if (on == "slurm")
    throw ConfigError(
        Problem{.what = "--on slurm: the Slurm back end is not built in",
                .remedy = "--on local runs the study on this machine; inside a Slurm job that is the node you have"});
  throw ConfigError({.what = "--on " + on + ": there is no such back end", .remedy = "--on local"});
}

std::string extension_text(const std::string& study, const Extension& e, bool is_new) {
  std::string text = fmt::format("study {}: {} new runs, {} already done", study, e.new_runs, e.done_runs);
  if (!is_new && e.new_cells + e.dropped_cells > 0)
    text += fmt::format("\nthe spec has changed: {} new cells, {} kept, {} no longer in it (their runs stay)",
                        e.new_cells, e.kept_cells, e.dropped_cells);
  return text;
}

/// Makes the study known: archive first, then the database, so that a database never knows a study that could not be
/// rebuilt. Killed in between, the same command carries on.
Extension enrol(const std::string& store, Registration registration, const std::string& plan_json) {
  storage::Database database(store, storage::Database::Mode::create);
  const std::string study = registration.study.name;
  make_writable_directory(study_directory(store, study));
  const FileLock one_at_a_time(study_directory(store, study) + "/submit.lock", FileLock::Wait::yes);
  const Extension e = extension(database, registration);
  for (const std::string& known : archived_studies(store))
    if (known == study) registration = merged(std::move(registration), read_archive(store, study));
  write_archive(store, registration, plan_json);
  const bool is_new = !database.study(study).has_value();
  add_to_database(database, registration);
  log::info(extension_text(study, e, is_new));
  return e;
}

int submit(const SubmitArguments& arguments, const std::string& store) {
  check_backend(arguments.on);
  find_worker();
  studies::Plan plan = plan_study(arguments.spec, store);
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const Settings settings = resolve(plan.spec.resources, arguments.slots, cores);
  enrol(store, registration_of(plan, settings), studies::plan_json(plan));
  const std::string name = plan.spec.name;
  if (arguments.wait) {
    int status = watch(store, name);
    while (status == 0 && !plan.waiting.empty()) {  // what a sweep had to decide first
      plan = plan_study(arguments.spec, store);
      enrol(store, registration_of(plan, settings), studies::plan_json(plan));
      status = watch(store, name);
    }
    return status;
  }
  if (!plan.waiting.empty())
    log::info(
        fmt::format("{} cells wait for a sweep: submit the spec again when its runs are done", plan.waiting.size()));
  ensure_driver(storage::Database(store, storage::Database::Mode::read), name);
  log::info(fmt::format("it goes on in the background, {} runs at a time; study status {} shows where it stands",
                        settings.slots, name));
  return 0;
}

int drive(const std::string& store, const std::string& study) {
  std::signal(SIGHUP, SIG_IGN);
  storage::Database database(store, storage::Database::Mode::write);
  const auto row = database.study(study);
  if (!row) throw ConfigError({.what = "there is no study " + study});
  const Settings settings = settings_from_json(row->settings);
  cluster::LocalBackend backend({program_path(), "keep"});
  const StoreRunFiles files(store);
  const std::string worker = find_worker();
  const MakeJob make_job = [&](const Attempt& attempt) { return worker_job(store, worker, settings, attempt); };
  Driver driver({.database = database, .backend = backend, .files = files, .make_job = make_job}, study,
                settings.slots);
  if (!driver.take_lease()) return 0;  // another one drives it
  while (driver.round()) driver.wait(1.0);
  return 0;
}

}  // namespace

void add_submit_command(CLI::App& app, Study& study) {
  CLI::App* command = app.add_subcommand("submit", "Train a study; what is trained already is not trained again");
  const auto arguments = std::make_shared<SubmitArguments>();
  command->add_option("SPEC", arguments->spec, "The study's spec, a YAML file")->required();
  command->add_option("--on", arguments->on, "Where to run: local")->capture_default_str();
  command
      ->add_option("--slots", arguments->slots,
                   "Runs at the same time (default: as the spec says, else cores / threads)")
      ->check(CLI::PositiveNumber);
  command->add_flag("--wait", arguments->wait, "Stay and show progress; exit 0 when every run is done, else 1");
  command->footer(
      "A changed spec under the same name adds its new cells and keeps the old ones.\n"
      "Interrupting --wait leaves the study running; study cancel NAME stops it.\n"
      "Example:\n  study submit quickstart.yaml --slots 2 --wait");
  command->callback(
      [&study, arguments] { study.body = [&study, arguments] { return submit(*arguments, store_path(study)); }; });
}

void add_drive_command(CLI::App& app, Study& study) {
  CLI::App* command = app.add_subcommand("drive", "Carry a submitted study to its end (submit starts this by itself)");
  const auto name = std::make_shared<std::string>();
  command->add_option("NAME", *name, "The study")->required();
  command->footer("Example:\n  study drive quickstart");
  command->callback([&study, name] { study.body = [&study, name] { return drive(store_path(study), *name); }; });
}

}  // namespace hyscale::scheduler
