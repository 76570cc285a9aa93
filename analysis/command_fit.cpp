#include <fmt/format.h>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "analysis/chinchilla_fit.h"
#include "analysis/commands.h"
#include "analysis/input_options.h"
#include "analysis/json_output.h"
#include "analysis/text_output.h"
#include "core/base/error.h"

namespace hyscale::analysis {
namespace {

struct FitCommand {
  InputOptions input;
  FitOptions fit;
  bool json = false;
};

void fit_and_print(const FitCommand& options) {
  const PointSet set = load_points(options.input);
  const std::vector<FamilyFit> fits = fit_families(set, options.fit);
  if (options.json)
    fmt::print("{}\n", nlohmann::json{{"source", set.source},
                                      {"n_is", set.n_name},
                                      {"c_is", set.c_name},
                                      {"huber_delta", options.fit.delta},
                                      {"confidence", options.fit.bootstrap.confidence},
                                      {"notices", set.notices},
                                      {"families", list_to_json(fits)}}
                           .dump(2));
  else
    fmt::print("{}", fits_text(set, fits, options.fit.bootstrap.confidence));
  for (const FamilyFit& fit : fits)
    if (fit.usable) return;
  throw Error(ExitCode::failed, {{.what = "no family has a usable fit",
                                  .remedy = "the reasons are printed above; train more sizes and token counts"}});
}

}  // namespace

void add_fit_command(CLI::App& app) {
  auto options = std::make_shared<FitCommand>();
  CLI::App* command = app.add_subcommand("fit", "Fit L = E + A/N^alpha + B/D^beta per family");
  add_input_options(*command, options->input);
  add_bootstrap_options(*command, options->fit.bootstrap);
  command->add_option("--delta", options->fit.delta, "Huber threshold in log loss")
      ->check(CLI::Range(1e-9, 10.0))
      ->capture_default_str();
  command->add_option("--budgets", options->fit.budgets, "FLOPs to allocate; the points' own budgets otherwise")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Example: analyze fit --csv studies/reference/isoflop_points.csv "
      "--columns n=n_nonembedding,d=tokens,c=budget_flops,loss=nll");
  command->callback([options] { fit_and_print(*options); });
}

}  // namespace hyscale::analysis
