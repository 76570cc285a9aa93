#include <CLI/CLI.hpp>

#include "analysis/commands.h"
#include "core/base/command_line.h"
#include "core/base/exit_code.h"
#include "core/base/program.h"

namespace {

constexpr const char* kProgram = "analyze";

const hyscale::ManualNotes kNotes{
    .exit_status = {{"0", "done"}, {"1", "something asked for failed"}, {"2", "bad input"}},
    .environment = {{"HYSCALE_STORE", "directory of corpora, runs and results; default ./hyscale-store"}}};

int run(int argc, char** argv) {
  CLI::App app("Fits scaling curves and reports what the runs of a study say.", kProgram);
  app.set_version_flag("--version", hyscale::version_line(kProgram));
  app.require_subcommand(1);
  app.footer("Example: analyze report my-study --out report");
  hyscale::analysis::add_points_command(app);
  hyscale::analysis::add_fit_command(app);
  hyscale::analysis::add_isoflop_command(app);
  hyscale::analysis::add_compare_command(app);
  hyscale::analysis::add_envelope_command(app);
  hyscale::analysis::add_report_command(app);
  hyscale::add_shell_commands(app, kProgram, kNotes);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : static_cast<int>(hyscale::ExitCode::bad_input);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return hyscale::run_program(kProgram, [&] { return run(argc, argv); });
}
