#include <csignal>
#include <fmt/format.h>
#include <memory>
#include <thread>
#include <utility>

#include "cluster/gpu_lease.h"
#include "cluster/slurm.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "scheduler/background.h"
#include "scheduler/commands.h"
#include "scheduler/drive.h"
#include "scheduler/planning.h"
#include "scheduler/registration.h"
#include "scheduler/watch.h"
#include "scheduler/worker_job.h"

namespace hyscale::scheduler {
namespace {

struct SubmitArguments {
  std::string spec, on = "local";
  int slots = 0;
  std::vector<std::string> gpus;
  bool wait = false, test_only = false, no_report = false;
};

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

/// Those that were named, else those of this machine when the spec's runs want some.
std::vector<std::string> gpus_for(const studies::StudySpec& spec, const std::vector<std::string>& named) {
  if (!named.empty() || !wants_gpus(spec.resources)) return named;
  auto found = cluster::find_gpus();
  if (found.empty())
    log::warn("no GPU was found here (nvidia-smi, CUDA_VISIBLE_DEVICES): runs are started without; --gpus names some");
  return found;
}

/// Shows the study until it has ended, and submits what a sweep had to decide first.
int stay(const SubmitArguments& arguments, studies::Plan plan, const Settings& settings, const std::string& store) {
  const std::string name = plan.spec.name;
  int status = watch(store, name);
  while (status == 0 && !plan.waiting.empty()) {
    plan = plan_study(arguments.spec, store);
    enrol(store, registration_of(plan, settings), studies::plan_json(plan));
    status = watch(store, name);
  }
  return status;
}

void say_what_waits(const studies::Plan& plan) {
  if (!plan.waiting.empty())
    log::info(
        fmt::format("{} cells wait for a sweep: submit the spec again when its runs are done", plan.waiting.size()));
}

int submit_here(const SubmitArguments& arguments, const studies::Plan& plan, const std::string& store) {
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const Settings settings = resolve(plan.spec.resources, arguments.slots, cores, gpus_for(plan.spec, arguments.gpus));
  enrol(store, registration_of(plan, settings), studies::plan_json(plan));
  const std::string& name = plan.spec.name;
  if (arguments.wait) return stay(arguments, plan, settings, store);
  say_what_waits(plan);
  ensure_driver(storage::Database(store, storage::Database::Mode::read), name);
  log::info(fmt::format("it goes on in the background, {} runs at a time; study status {} shows where it stands",
                        settings.slots, name));
  return 0;
}

/// What Slurm says to a job of each shape that the plan has; nothing is submitted.
int test_only(cluster::SlurmBackend& slurm, const Registration& registration, const Settings& settings,
              const std::string& store) {
  std::vector<cluster::Job> jobs;
  for (const storage::RunRow& run : registration.runs) {
    jobs.push_back({.shape = shape_of(settings)});
    jobs.back().directory = job_directory(store, run.run_id, 1);
  }
  for (const std::string& answer : slurm.test_only(jobs)) fmt::print("{}\n", answer);
  return 0;
}

void say_how_ranks_start(const Settings& settings) {
  if (settings.resources.ranks <= 1) return;
  if (settings.slurm.mpi == "mpirun") return log::info("ranks are started by mpirun inside the job: no PMI is needed");
  log::info("ranks are started by srun: " + cluster::describe_pmi(cluster::run_command));
}

int submit_to_slurm(const SubmitArguments& arguments, const studies::Plan& plan, const std::string& store) {
  studies::SlurmSpec asked = plan.spec.slurm.value_or(studies::SlurmSpec{});
  if (arguments.no_report) asked.report = false;
  const Settings settings = resolve_for_slurm(plan.spec.resources, std::move(asked), arguments.slots);
  const std::string& name = plan.spec.name;
  cluster::SlurmBackend slurm(slurm_options(store, name, settings));
  say_how_ranks_start(settings);
  const Registration registration = registration_of(plan, settings);
  if (arguments.test_only) return test_only(slurm, registration, settings, store);
  enrol(store, registration, studies::plan_json(plan));
  if (!reconcile(store, name)) log::info("another command looks after the study at this moment and submits it");
  if (arguments.wait) return stay(arguments, plan, settings, store);
  say_what_waits(plan);
  log::info(fmt::format("Slurm has it; study status {} shows where it stands and carries on, on any login node", name));
  return 0;
}

int submit(const SubmitArguments& arguments, const std::string& store) {
  if (arguments.on != "local" && arguments.on != "slurm")
    throw ConfigError(
        {.what = "--on " + arguments.on + ": there is no such back end", .remedy = "--on local or --on slurm"});
  if (arguments.test_only && arguments.on != "slurm")
    throw ConfigError(Problem{.what = "--test-only asks Slurm", .remedy = "add --on slurm; study plan asks nobody"});
  if (!arguments.gpus.empty() && arguments.on == "slurm")
    throw ConfigError(Problem{.what = "--gpus shares out this machine's GPUs, but Slurm gives its own",
                              .remedy = "say resources: {gpus: …} in the spec"});
  find_worker();
  const studies::Plan plan = plan_study(arguments.spec, store);
  return arguments.on == "slurm" ? submit_to_slurm(arguments, plan, store) : submit_here(arguments, plan, store);
}

}  // namespace

void add_submit_command(CLI::App& app, Study& study) {
  CLI::App* command = app.add_subcommand("submit", "Train a study; what is trained already is not trained again");
  const auto arguments = std::make_shared<SubmitArguments>();
  command->add_option("SPEC", arguments->spec, "The study's spec, a YAML file")->required();
  command->add_option("--on", arguments->on, "Where to run: local, slurm")->capture_default_str();
  command
      ->add_option("--slots", arguments->slots,
                   "Runs at the same time (default: as the spec says, else cores / threads; Slurm: as it sees fit)")
      ->check(CLI::PositiveNumber);
  command->add_flag("--test-only", arguments->test_only, "Only ask Slurm what it would say to the jobs");
  command
      ->add_option(
          "--gpus", arguments->gpus,
          "GPUs that runs may take, as CUDA_VISIBLE_DEVICES names them: 0,1 (default: all, when runs want some)")
      ->delimiter(',')
      ->type_name("LIST");
  command->add_flag("--no-report", arguments->no_report,
                    "With Slurm: no job behind all others that writes the report (else STORE/reports/NAME)");
  command->add_flag("--wait", arguments->wait, "Stay and show progress; exit 0 when every run is done, else 1");
  command->footer(
      "A changed spec under the same name adds its new cells and keeps the old ones.\n"
      "Interrupting --wait leaves the study running; study cancel NAME stops it.\n"
      "Example:\n  study submit quickstart.yaml --slots 2 --wait\n"
      "  study submit ladder.yaml --on slurm");
  command->callback(
      [&study, arguments] { study.body = [&study, arguments] { return submit(*arguments, store_path(study)); }; });
}

void add_drive_command(CLI::App& app, Study& study) {
  CLI::App* command = app.add_subcommand("drive", "Carry a submitted study to its end (submit starts this by itself)");
  const auto name = std::make_shared<std::string>();
  command->add_option("NAME", *name, "The study")->required();
  command->footer("Example:\n  study drive quickstart");
  command->callback([&study, name] {
    study.body = [&study, name] {
      std::signal(SIGHUP, SIG_IGN);
      drive(store_path(study), *name);
      return 0;
    };
  });
}

}  // namespace hyscale::scheduler
