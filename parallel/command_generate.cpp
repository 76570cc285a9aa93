#include <memory>

#include <CLI/CLI.hpp>

#include "parallel/commands.h"
#include "parallel/generate.h"
#include "parallel/trained_run_options.h"

namespace hyscale::parallel {

void add_generate_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("generate", "Let a trained model write on behind a prompt");
  const auto options = std::make_shared<GenerateOptions>();
  add_trained_run_options(*command, options->trained);
  auto* prompts = command->add_option_group("prompts", "What to go on with")->require_option(1, 0);
  prompts->add_option("--prompt", options->prompts, "A text; several make one batch")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  prompts->add_option("--prompt-file", options->prompt_files, "A file of text, likewise")
      ->type_name("FILE")
      ->check(CLI::ExistingFile)
      ->allow_extra_args(false);
  command->add_option("--tokens", options->tokens, "To write, at most")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--temperature", options->sampling.temperature, "0: always the likeliest token")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--top-k", options->sampling.top_k, "Draw from the K likeliest (0: all)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--top-p", options->sampling.top_p, "Draw from the fewest that have this probability together")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--seed", options->sampling.seed, "Of the draws")->capture_default_str();
  command->add_flag("--past-end", options->past_end, "Go on where the model ends a document");
  command->add_option("--prefill-tokens", options->piece, "Of one forward pass over prompts; fewer need less memory")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--threads", options->threads, "Threads (default: allowed cores)")->check(CLI::PositiveNumber);
  command->add_flag("--json", options->json, "Print JSON: texts, token ids, seconds");
  command->footer(
      "Each text begins a document. A single prompt is written on as the tokens come. Also past the training "
      "length.\n\n"
      "Example: hybrid-worker generate runs/first --prompt \"It was\" --tokens 200 --temperature 0.8 --top-p 0.95");
  command->callback([options] { generate(*options); });
}

}  // namespace hyscale::parallel
