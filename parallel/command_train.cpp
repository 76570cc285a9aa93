#include <CLI/CLI.hpp>

#include "core/base/error.h"
#include "parallel/commands.h"

namespace hyscale::parallel {

void add_train_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("train", "Train one model");
  command->callback([] { throw ConfigError({.what = "this build cannot train yet"}); });
}

}  // namespace hyscale::parallel
