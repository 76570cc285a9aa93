#include <cstdio>
#include <fmt/format.h>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "exchange/import_hf.h"
#include "parallel/commands.h"

namespace hyscale::parallel {

void add_import_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("import", "Make a run directory of a model in Hugging Face's format");
  const auto options = std::make_shared<exchange::ImportOptions>();
  const auto json = std::make_shared<bool>(false);
  command->add_option("model", options->directory, "Directory with config.json and safetensors")
      ->required()
      ->type_name("DIR");
  command->add_option("--out", options->out, "The run directory to make")->required()->type_name("DIR");
  command
      ->add_option("--base", options->base,
                   "Run config whose data, train and context are taken (default: the run.yaml beside the model)")
      ->type_name("RUN.yaml");
  command->add_flag("--json", *json, "Print JSON");
  command->footer(
      "The weights become fp32. The result can be inspected, evaluated and exported; it has neither optimizer state "
      "nor\n"
      "a curve, so train --resume does not carry it on.\n\n"
      "Example: hybrid-worker import exported/first --out runs/again\n"
      "         hybrid-worker import Llama-3.2-1B --out runs/llama --base run.yaml");
  command->callback([options, json] {
    const exchange::ImportReport report = exchange::import_from_hf(*options);
    if (*json) {
      const nlohmann::ordered_json shown{{"out", options->out},
                                         {"class", report.class_name},
                                         {"checkpoint", report.checkpoint},
                                         {"parameters", report.parameters},
                                         {"dtype", report.dtype}};
      std::fputs((shown.dump(2) + "\n").c_str(), stdout);
    } else {
      fmt::print("{}: {}, {} parameters from {}, in {}\n", options->out, report.class_name, report.parameters,
                 report.dtype, report.checkpoint);
    }
  });
}

}  // namespace hyscale::parallel
