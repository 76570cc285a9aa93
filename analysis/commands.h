#pragma once

namespace CLI {
class App;
}

/// Each adds one subcommand of `analyze`; its callback does the work and prints.
namespace hyscale::analysis {

void add_points_command(CLI::App& app);
void add_fit_command(CLI::App& app);
void add_isoflop_command(CLI::App& app);
void add_compare_command(CLI::App& app);
void add_envelope_command(CLI::App& app);
void add_report_command(CLI::App& app);

}  // namespace hyscale::analysis
