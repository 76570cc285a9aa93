#include <filesystem>

#include "cluster/gpu_lease.h"
#include "cluster/keeper.h"
#include "cluster/slurm_task.h"
#include "core/base/command_line.h"
#include "core/base/error.h"
#include "core/base/program.h"
#include "core/spec/corpus_manifest.h"
#include "scheduler/commands.h"

namespace hyscale::scheduler {

std::string store_path(const Study& study) {
  return std::filesystem::absolute(spec::store_directory(study.store)).lexically_normal().string();
}

}  // namespace hyscale::scheduler

namespace {

using namespace hyscale;

constexpr const char* kExamples = R"(Examples:
  study plan SPEC.yaml              what would be trained, at what cost, and what would not, and why
  study submit SPEC.yaml --wait     train it here; interrupted, the study goes on in the background
  study status NAME                 where it stands
  study COMMAND --help              more about one command)";

const ManualNotes kNotes{
    .exit_status = {{"0", "done"}, {"1", "something asked for failed"}, {"2", "bad input"}},
    .environment = {{"HYSCALE_STORE", "directory of corpora, runs and results; default ./hyscale-store"},
                    {"HYSCALE_WORKER", "the hybrid-worker to start; default: the one beside this program"},
                    {"HYSCALE_GPU_LEASES", "directory of the locks by which runs take turns on this machine's GPUs"}}};

int study_main(int argc, char** argv) {
  // The keepers of jobs, started by the back ends; kept out of the command line that people see.
  if (argc == 3 && std::string(argv[1]) == "keep") return cluster::keep_job(argv[2]);

  if (argc == 3 && std::string(argv[1]) == "keep-task") return cluster::keep_task(argv[2]);

  if (argc >= 2 && std::string(argv[1]) == "hold-gpus") return cluster::hold_gpus({argv + 2, argv + argc});

  CLI::App app("Plans, runs and watches scaling studies");
  app.set_version_flag("--version", version_line("study"));
  app.footer(kExamples);
  app.require_subcommand(1);
  scheduler::Study study;
  app.add_option("--store", study.store,
                 "Directory of corpora, runs and results (default: $HYSCALE_STORE, else ./hyscale-store)");
  app.fallthrough();
  scheduler::add_plan_command(app, study);
  scheduler::add_schema_command(app, study);
  scheduler::add_submit_command(app, study);
  scheduler::add_status_command(app, study);
  scheduler::add_watch_command(app, study);
  scheduler::add_logs_command(app, study);
  scheduler::add_cancel_command(app, study);
  scheduler::add_retry_command(app, study);
  scheduler::add_collect_command(app, study);
  scheduler::add_list_command(app, study);
  scheduler::add_diff_command(app, study);
  scheduler::add_adopt_command(app, study);
  scheduler::add_gc_command(app, study);
  scheduler::add_doctor_command(app, study);
  scheduler::add_drive_command(app, study);
  add_shell_commands(app, "study", kNotes);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::bad_input);
  }
  return study.body();
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("study", [&] { return study_main(argc, argv); });
}
