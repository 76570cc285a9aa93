#include <memory>

#include <CLI/CLI.hpp>

#include "parallel/commands.h"
#include "parallel/evaluate.h"
#include "parallel/trained_run_options.h"

namespace hyscale::parallel {

void add_eval_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("eval", "Validation loss of a trained model, at any context length");
  const auto options = std::make_shared<EvalOptions>();
  add_trained_run_options(*command, options->trained);
  command->add_option("--context", options->context, "Tokens of a window, also more than trained (default: as trained)")
      ->check(CLI::PositiveNumber);
  command->add_option("--micro-batch", options->micro_batch, "Windows of one forward pass on one rank")
      ->check(CLI::PositiveNumber);
  command->add_option("--tp", options->tp, "Under mpirun: ranks that hold one model together, a part each")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--threads", options->threads, "Threads of each rank (default: allowed cores / ranks)")
      ->check(CLI::PositiveNumber);
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Every token of the validation split but the first is predicted once, from those before it in its window.\n"
      "Nothing in DIR is changed. An extension acts on every attention layer with rotary positions.\n\n"
      "Example: hybrid-worker eval runs/first --context 1024 --rope-extension yarn:4\n"
      "         mpirun -n 4 hybrid-worker eval runs/first --tp 2 --json");
  command->callback([options] { evaluate(*options); });
}

}  // namespace hyscale::parallel
