#include <CLI/CLI.hpp>

#include "core/base/command_line.h"
#include "core/base/error.h"
#include "core/base/program.h"
#include "parallel/commands.h"
#include "parallel/mpi_collective.h"

using hyscale::parallel::kProgram;

namespace {

const hyscale::ManualNotes kNotes{
    .exit_status = {{"0", "done"},
                    {"2", "bad configuration or command line"},
                    {"3", "out of memory"},
                    {"4", "the loss diverged"},
                    {"75", "checkpointed and stopped as asked: run it again with --resume"},
                    {"other", "a fault"}},
    .environment = {{"HYSCALE_STORE", "directory of corpora, runs and results; default ./hyscale-store"},
                    {"OMP_NUM_THREADS", "threads of each rank, where --threads is not given"}}};

int run(int argc, char** argv) {
  CLI::App app("Trains, evaluates, inspects and exchanges one model, alone or under mpirun.", kProgram);
  app.set_version_flag("--version", hyscale::version_line(kProgram));
  app.require_subcommand(1);
  app.footer("Example: hybrid-worker train run.yaml --out runs/first");
  hyscale::parallel::add_train_command(app);
  hyscale::parallel::add_eval_command(app);
  hyscale::parallel::add_generate_command(app);
  hyscale::parallel::add_inspect_command(app);
  hyscale::parallel::add_data_command(app);
  hyscale::parallel::add_bench_command(app);
  hyscale::parallel::add_tokenize_command(app);
  hyscale::parallel::add_export_command(app);
  hyscale::parallel::add_import_command(app);
  hyscale::add_shell_commands(app, kProgram, kNotes);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() != 0) hyscale::parallel::await_turn_to_fail();
    return app.exit(e) == 0 ? 0 : static_cast<int>(hyscale::ExitCode::bad_input);
  } catch (const hyscale::parallel::CommandEnded& e) {
    return static_cast<int>(e.code);
  } catch (const hyscale::ConfigError&) {
    hyscale::parallel::await_turn_to_fail();
    throw;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return hyscale::run_program(kProgram, [&] { return run(argc, argv); });
}
