#include <cstdio>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "exchange/export_hf.h"
#include "parallel/commands.h"

namespace hyscale::parallel {
namespace {

struct ExportArguments {
  exchange::ExportOptions options;
  std::string to, dtype = "fp32";
  int64_t step = -1;  // of --checkpoint; -1: the last one
  bool json = false;
};

void print_report(const exchange::ExportReport& report, const ExportArguments& arguments) {
  if (arguments.json) {
    const nlohmann::ordered_json json{{"out", arguments.options.out},  {"class", report.class_name},
                                      {"dtype", arguments.dtype},      {"checkpoint", report.checkpoint},
                                      {"step", report.step},           {"parameters", report.parameters},
                                      {"tokenizer", report.tokenizer}, {"files", report.files}};
    std::fputs((json.dump(2) + "\n").c_str(), stdout);
    return;
  }
  fmt::print("{}: {}, {} parameters in {}, from {}\ntokenizer: {}\nfiles: {}\n", arguments.options.out,
             report.class_name, report.parameters, arguments.dtype, report.checkpoint, report.tokenizer,
             fmt::join(report.files, ", "));
}

}  // namespace

void add_export_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("export", "Write a model so that other tools load it (Hugging Face)");
  const auto arguments = std::make_shared<ExportArguments>();
  exchange::ExportOptions& options = arguments->options;
  command->add_option("run", options.directory, "The run directory")->required()->type_name("DIR");
  command->add_option("out", options.out, "The directory to make")->required()->type_name("OUT");
  command->add_option("--to", arguments->to, "hf: safetensors and config.json, as transformers loads them")
      ->required()
      ->check(CLI::IsMember({"hf"}));
  command->add_option("--checkpoint", arguments->step, "Step of the checkpoint (default: the last one)")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--dtype", arguments->dtype, "Of the weights: fp32, or bf16 (rounded to nearest)")
      ->check(CLI::IsMember({"fp32", "bf16"}))
      ->capture_default_str();
  command->add_option("--store", options.store,
                      "Store with the corpus, for its tokenizer (default: HYSCALE_STORE, ./hyscale-store)");
  command->add_flag("--json", arguments->json, "Print JSON");
  command->footer(
      "The stack decides the class: LlamaForCausalLM, Mamba2ForCausalLM, BambaForCausalLM,\n"
      "GraniteMoeHybridForCausalLM or FalconH1ForCausalLM. A stack that none of them holds is refused with every "
      "reason.\n\n"
      "Example: hybrid-worker export runs/first --to hf exported/first\n"
      "         python -c \"import transformers; "
      "transformers.AutoModelForCausalLM.from_pretrained('exported/first')\"");
  command->callback([arguments] {
    if (arguments->step >= 0) arguments->options.step = arguments->step;
    if (arguments->dtype == "bf16") arguments->options.type = exchange::StoredType::bf16;
    print_report(exchange::export_to_hf(arguments->options), *arguments);
  });
}

}  // namespace hyscale::parallel
