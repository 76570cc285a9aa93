#pragma once

#include "core/base/exit_code.h"

namespace CLI {
class App;
}

namespace hyscale::parallel {

inline constexpr const char* kProgram = "hybrid-worker";

/// Each adds one subcommand of hybrid-worker, with help, example and callback, in parallel/command_<name>.cpp. The
/// callback is the command: it returns when all is done, throws what Error says, or throws CommandEnded.
void add_train_command(CLI::App& app);
void add_eval_command(CLI::App& app);
void add_inspect_command(CLI::App& app);
void add_data_command(CLI::App& app);
void add_bench_decode(CLI::App& bench_command);  // likewise
void add_bench_command(CLI::App& app);
void add_bench_kernels(CLI::App& bench_command);  // below bench
void add_bench_comm(CLI::App& bench_command);     // likewise
void add_tokenize_command(CLI::App& app);
void add_generate_command(CLI::App& app);
void add_export_command(CLI::App& app);
void add_import_command(CLI::App& app);

/// Thrown by a command that ends in a status other than 0 and has said why (requeue; an error that one rank reported).
struct CommandEnded {
  ExitCode code = ExitCode::done;
};

}  // namespace hyscale::parallel
