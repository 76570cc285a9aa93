#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

namespace hyscale::scheduler {

/// What every command of `study` knows. A command's setup adds it to the command line and leaves in `body` what to do
/// once that is parsed; the body returns the exit status (0 done, 1 something asked for failed).
struct Study {
  std::string store;  // --store as given; `store_path` resolves it
  std::function<int()> body;
};

/// Absolute path of the store: --store, else HYSCALE_STORE, else ./hyscale-store.
std::string store_path(const Study& study);

void add_plan_command(CLI::App& app, Study& study);
void add_schema_command(CLI::App& app, Study& study);
void add_submit_command(CLI::App& app, Study& study);
void add_drive_command(CLI::App& app, Study& study);  // internal: the detached driver
void add_status_command(CLI::App& app, Study& study);
void add_watch_command(CLI::App& app, Study& study);
void add_logs_command(CLI::App& app, Study& study);
void add_cancel_command(CLI::App& app, Study& study);
void add_retry_command(CLI::App& app, Study& study);
void add_collect_command(CLI::App& app, Study& study);
void add_list_command(CLI::App& app, Study& study);
void add_diff_command(CLI::App& app, Study& study);
void add_adopt_command(CLI::App& app, Study& study);
void add_gc_command(CLI::App& app, Study& study);
void add_doctor_command(CLI::App& app, Study& study);

}  // namespace hyscale::scheduler
