#include <fmt/format.h>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "analysis/commands.h"
#include "analysis/envelope.h"
#include "analysis/input_options.h"
#include "analysis/json_output.h"
#include "analysis/number_text.h"
#include "core/base/error.h"

namespace hyscale::analysis {
namespace {

struct EnvelopeCommand {
  InputOptions input;
  BootstrapOptions bootstrap;
  bool json = false;
};

void print_text(const std::vector<Envelope>& all) {
  for (const Envelope& envelope : all) {
    fmt::print("{}: the lowest training curve at {} budgets\n", envelope.family, envelope.places.size());
    if (envelope.size_law.known)
      fmt::print("  N*(C) ~ C^{} ({}), D*(C) ~ C^{} ({})\n", fixed(envelope.size_law.exponent, 3),
                 interval_text(envelope.size_law.exponent_interval, Quantity::exponent),
                 fixed(envelope.token_law.exponent, 3),
                 interval_text(envelope.token_law.exponent_interval, Quantity::exponent));
    for (const std::string& warning : envelope.warnings) fmt::print("  warning: {}\n", warning);
  }
}

void print_envelopes(const EnvelopeCommand& options) {
  const bool csv = !options.input.csv.empty();
  const std::vector<RunCurve> curves =
      csv ? curves_of(load_points(options.input)) : curves_of(load_dataset(options.input));
  if (curves.empty())
    throw ConfigError(Problem{.what = "no run has two points along its training",
                              .remedy = "give one row per checkpoint and name the run: --columns run=…"});
  const std::vector<Envelope> all = envelopes(curves, options.bootstrap);
  if (!options.json) return print_text(all);
  nlohmann::json out;
  for (const Envelope& envelope : all) out["families"][envelope.family] = to_json(envelope);
  fmt::print("{}\n", out.dump(2));
}

}  // namespace

void add_envelope_command(CLI::App& app) {
  auto options = std::make_shared<EnvelopeCommand>();
  CLI::App* command =
      app.add_subcommand("envelope", "Fit N*(C) through the lowest training curves (approach 1 of Hoffmann et al.)");
  add_input_options(*command, options->input);
  add_bootstrap_options(*command, options->bootstrap);
  command->add_flag("--json", options->json, "Print JSON");
  command->footer("Example: analyze envelope --csv checkpoints.csv --columns n=params,d=tokens,loss=loss,run=name");
  command->callback([options] { print_envelopes(*options); });
}

}  // namespace hyscale::analysis
