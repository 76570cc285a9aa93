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
  Selection selection;
  FitOptions fit;
  bool json = false;
};

nlohmann::json fits_json(const PointSet& set, const std::vector<FamilyFit>& fits, const FitOptions& options) {
  nlohmann::json out = {{"source", set.source},        {"n_is", set.n_name},
                        {"c_is", set.c_name},          {"loss", name_of(options.loss.kind)},
                        {"delta", options.loss.delta}, {"confidence", options.bootstrap.confidence},
                        {"notices", set.notices}};
  add_families(out, set, fits);
  return out;
}

void fit_and_print(const FitCommand& options) {
  const PointSet set = load_points(options.input, options.selection);
  const std::vector<FamilyFit> fits = fit_families(set, options.fit);
  if (options.json)
    fmt::print("{}\n", fits_json(set, fits, options.fit).dump(2));
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
  add_selection_options(*command, options->selection);
  add_bootstrap_options(*command, options->fit.bootstrap);
  add_loss_options(*command, options->fit.loss);
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
