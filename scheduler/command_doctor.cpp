#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <set>

#include "cluster/preflight.h"
#include "cluster/preflight_job.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/process.h"
#include "scheduler/commands.h"
#include "scheduler/interruptible.h"
#include "scheduler/planning.h"
#include "scheduler/settings.h"
#include "scheduler/worker_job.h"

namespace hyscale::scheduler {
namespace {

using cluster::Finding;
using cluster::Needs;

struct DoctorArguments {
  std::string spec, on = "local", inside, held;
  int64_t ranks = 0;
  double patience = 600;
  bool json = false, job = false;
};

/// Weights, their gradients' moments and masters in fp32; the worker keeps two checkpoints beside the branch points.
uint64_t bytes_of(const studies::PlannedRun& run) {
  constexpr uint64_t kBytesOfAParameter = 12, kKept = 2, kBytesOfAStep = 150;
  const uint64_t checkpoint = kBytesOfAParameter * static_cast<uint64_t>(run.model->account.params.total);
  return checkpoint * (kKept + run.checkpoint_at.size()) + kBytesOfAStep * static_cast<uint64_t>(run.train.steps());
}

/// How the runs would be executed; without a spec, as one without wishes says.
Settings settings_of(const DoctorArguments& arguments, const std::optional<studies::Plan>& plan) {
  Settings settings;
  settings.on = arguments.on;
  if (plan) settings.resources = plan->spec.resources, settings.slurm = plan->spec.slurm.value_or(studies::SlurmSpec{});
  if (arguments.ranks > 0) settings.resources.ranks = arguments.ranks;
  if (arguments.on == "slurm") return resolve_for_slurm(settings.resources, settings.slurm, 0);
  return settings;
}

Needs needs_of(const DoctorArguments& arguments, const Settings& settings, const std::optional<studies::Plan>& plan) {
  const studies::Resources& r = settings.resources;
  Needs needs{.worker = worker_path(), .mpi = rank_launcher(settings), .inside = !arguments.inside.empty()};
  needs.held = arguments.held;
  needs.ranks = plan || arguments.ranks > 0 ? r.ranks : 0;
  needs.gpus = plan && r.device == "cuda";
  needs.gpus_per_run = needs.gpus ? std::max<int64_t>(r.gpus, 1) : 0;
  needs.slurm = arguments.on == "slurm";
  if (needs.slurm) {
    needs.container = settings.slurm.container;
    needs.partition = settings.slurm.partition;
    needs.seconds = slurm_options("", "", settings).seconds;
  }
  if (!plan) return needs;
  std::set<std::string> seen;
  for (const studies::PlannedRun& run : plan->runs)
    if (seen.insert(run.run_id).second) needs.bytes += bytes_of(run);
  needs.runs = static_cast<int64_t>(seen.size());
  return needs;
}

std::string text_of(const std::vector<Finding>& findings) {
  std::string text, host;
  for (const Finding& finding : findings) {
    if (finding.host != host) text += fmt::format("\n{}\n", finding.host.empty() ? "here" : "on " + finding.host);
    host = finding.host;
    text += fmt::format("{:<8} {:<13} {}\n", to_string(finding.level), finding.check, finding.what);
    if (!finding.remedy.empty()) text += fmt::format("{:<22} try: {}\n", "", finding.remedy);
  }
  return text;
}

/// What Slurm says to a run's job; with --job what such a job sees.
std::vector<Finding> ask_slurm(const DoctorArguments& arguments, const Settings& settings, const std::string& store,
                               const Interruptible& interrupt, ProgressLine& line) {
  cluster::PreflightJob job{.options = slurm_options(store, "doctor", settings), .shape = shape_of(settings)};
  job.patience = arguments.patience;
  job.interrupted = [&] { return interrupt.asked(); };
  job.look = {program_path(), "--store", std::filesystem::absolute(store).string(), "doctor", "--on", "slurm"};
  if (!arguments.spec.empty()) job.look.push_back(std::filesystem::absolute(arguments.spec).string());
  if (arguments.ranks > 0) job.look.insert(job.look.end(), {"--ranks", std::to_string(arguments.ranks)});
  if (!arguments.job) return {cluster::check_submission(cluster::run_command, job)};
  return cluster::preflight_in_job(cluster::run_command, job, [&](const std::string& text) { line.show(text); });
}

int look_inside(const DoctorArguments& arguments, const Needs& needs) {
  auto findings = cluster::preflight({}, needs);
  for (Finding& finding : findings) finding.host = host_name();
  write_file_atomically(arguments.inside, to_json(findings));
  return 0;
}

int doctor(const DoctorArguments& arguments, const std::string& store) {
  std::optional<studies::Plan> plan;
  if (!arguments.spec.empty()) plan = plan_study(arguments.spec, store);
  const Settings settings = settings_of(arguments, plan);
  Needs needs = needs_of(arguments, settings, plan);
  needs.store = store;
  if (needs.inside) return look_inside(arguments, needs);
  ProgressLine line;
  auto findings = cluster::preflight({}, needs, [&](const std::string& check) { line.show("looking at " + check); });
  // A store or a Slurm that is not there says no more when it is asked again.
  const bool pointless = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.level == Finding::Level::failure && (finding.check == "store" || finding.check == "slurm");
  });
  std::optional<Interruptible> interrupt;
  if (needs.slurm && !pointless) {
    interrupt.emplace(std::vector{SIGINT, SIGTERM, SIGHUP});
    for (const Finding& finding : ask_slurm(arguments, settings, store, *interrupt, line)) findings.push_back(finding);
  }
  line.clear();
  fmt::print("{}", arguments.json ? to_json(findings) : text_of(findings));
  if (interrupt && interrupt->asked()) return interrupt->exit_status();
  return static_cast<int>(any_failure(findings) ? ExitCode::failed : ExitCode::done);
}

}  // namespace

void add_doctor_command(CLI::App& app, Study& study) {
  CLI::App* command =
      app.add_subcommand("doctor", "Look at all that runs will need here, with a remedy for what fails");
  const auto arguments = std::make_shared<DoctorArguments>();
  command->add_option("SPEC", arguments->spec, "A study's spec: its ranks, GPUs, time and space are looked for too");
  command->add_option("--on", arguments->on, "Where the runs are to go: local, slurm")
      ->capture_default_str()
      ->check(CLI::IsMember({"local", "slurm"}));
  command->add_option("--ranks", arguments->ranks, "Ranks of a run (default: as the spec says)")
      ->check(CLI::PositiveNumber);
  command->add_flag("--job", arguments->job,
                    "With --on slurm: submit a small job of a run's shape that looks at the place from inside");
  command->add_option("--patience", arguments->patience, "Seconds that such a job may take, its wait included")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  // What the job of --job is given.
  command->add_option("--inside", arguments->inside)->group("");
  command->add_option("--held", arguments->held)->group("");
  command->add_flag("--json", arguments->json, "Machine-readable");
  command->footer(
      "Looks at the worker, MPI (it launches ranks that add up numbers), GPUs, the store's clock, locks, latency and\n"
      "space, and Slurm's limits, partitions, PMI and accounting. Exits 1 when something would fail.\n"
      "On Slurm it asks what Slurm would say to a run's job; --job submits one, which looks at the same on its node.\n"
      "Example:\n  study doctor quickstart.yaml\n  study doctor ladder.yaml --on slurm --job");
  command->callback(
      [&study, arguments] { study.body = [&study, arguments] { return doctor(*arguments, store_path(study)); }; });
}

}  // namespace hyscale::scheduler
