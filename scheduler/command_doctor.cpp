#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <set>

#include <nlohmann/json.hpp>

#include "cluster/preflight.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "scheduler/commands.h"
#include "scheduler/planning.h"
#include "scheduler/worker_job.h"

namespace hyscale::scheduler {
namespace {

using cluster::Finding;
using cluster::Needs;

struct DoctorArguments {
  std::string spec, on;
  int64_t ranks = 0;
  bool json = false;
};

/// Weights, their gradients' moments and masters in fp32; the worker keeps two checkpoints beside the branch points.
uint64_t bytes_of(const studies::PlannedRun& run) {
  constexpr uint64_t kBytesOfAParameter = 12, kKept = 2, kBytesOfAStep = 150;
  const uint64_t checkpoint = kBytesOfAParameter * static_cast<uint64_t>(run.model->account.params.total);
  return checkpoint * (kKept + run.checkpoint_at.size()) + kBytesOfAStep * static_cast<uint64_t>(run.train.steps());
}

int64_t seconds_of(const std::string& time) { return time.empty() ? 0 : cluster::slurm_seconds(time); }

void add_needs_of(const studies::Plan& plan, Needs& needs) {
  const studies::Resources& r = plan.spec.resources;
  if (needs.ranks == 0) needs.ranks = r.ranks;
  needs.gpus = r.device == "cuda";
  needs.gpus_per_run = needs.gpus ? std::max<int64_t>(r.gpus, 1) : 0;
  needs.seconds = seconds_of(r.time);
  if (needs.slurm && plan.spec.slurm) {
    needs.partition = plan.spec.slurm->partition;
    if (!plan.spec.slurm->time.empty()) needs.seconds = seconds_of(plan.spec.slurm->time);
  }
  std::set<std::string> seen;
  for (const studies::PlannedRun& run : plan.runs)
    if (seen.insert(run.run_id).second) needs.bytes += bytes_of(run);
  needs.runs = static_cast<int64_t>(seen.size());
}

std::string text_of(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += fmt::format("{:<8} {:<13} {}\n", to_string(finding.level), finding.check, finding.what);
    if (!finding.remedy.empty()) text += fmt::format("{:<22} try: {}\n", "", finding.remedy);
  }
  return text;
}

std::string json_of(const std::vector<Finding>& findings, bool fails) {
  nlohmann::ordered_json j{{"ready", !fails}, {"findings", nlohmann::ordered_json::array()}};
  for (const Finding& finding : findings)
    j["findings"].push_back({{"check", finding.check},
                             {"level", to_string(finding.level)},
                             {"what", finding.what},
                             {"remedy", finding.remedy}});
  return j.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

int doctor(const DoctorArguments& arguments, const std::string& store) {
  Needs needs{.worker = worker_path(), .store = store, .ranks = arguments.ranks};
  needs.slurm = arguments.on == "slurm";
  if (!arguments.spec.empty()) add_needs_of(plan_study(arguments.spec, store), needs);
  ProgressLine line;
  const auto findings =
      cluster::preflight({}, needs, [&](const std::string& check) { line.show("looking at " + check); });
  line.clear();
  const bool fails = std::any_of(findings.begin(), findings.end(),
                                 [](const Finding& finding) { return finding.level == Finding::Level::failure; });
  fmt::print("{}", arguments.json ? json_of(findings, fails) : text_of(findings));
  return static_cast<int>(fails ? ExitCode::failed : ExitCode::done);
}

}  // namespace

void add_doctor_command(CLI::App& app, Study& study) {
  CLI::App* command =
      app.add_subcommand("doctor", "Look at all that runs will need here, with a remedy for what fails");
  const auto arguments = std::make_shared<DoctorArguments>();
  command->add_option("SPEC", arguments->spec, "A study's spec: its ranks, GPUs, time and space are looked for too");
  command->add_option("--on", arguments->on, "Where the runs are to go: local, the default, or slurm")
      ->check(CLI::IsMember({"local", "slurm"}));
  command->add_option("--ranks", arguments->ranks, "Ranks of a run (default: as the spec says)")
      ->check(CLI::PositiveNumber);
  command->add_flag("--json", arguments->json, "Machine-readable");
  command->footer(
      "Looks at the worker, MPI (it launches ranks that add up numbers), GPUs, the store's clock, locks, latency and\n"
      "space, and Slurm's limits, partitions and accounting. Exits 1 when something would fail.\n"
      "Example:\n  study doctor quickstart.yaml --on slurm");
  command->callback(
      [&study, arguments] { study.body = [&study, arguments] { return doctor(*arguments, store_path(study)); }; });
}

}  // namespace hyscale::scheduler
