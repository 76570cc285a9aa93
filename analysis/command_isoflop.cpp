#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "analysis/budgets.h"
#include "analysis/commands.h"
#include "analysis/input_options.h"
#include "analysis/isoflop.h"
#include "analysis/json_output.h"
#include "analysis/text_output.h"
#include "core/base/error.h"

namespace hyscale::analysis {
namespace {

struct IsoflopCommand {
  InputOptions input;
  Selection selection;
  IsoFlopOptions isoflop;
  bool json = false;
};

nlohmann::json isoflop_json(const PointSet& set, const std::vector<FamilyIsoFlop>& families,
                            const IsoFlopOptions& options) {
  nlohmann::json out = {{"source", set.source},
                        {"n_is", set.n_name},
                        {"c_is", set.c_name},
                        {"loss_is", set.loss_name},
                        {"confidence", options.bootstrap.confidence},
                        {"method", name_of(options.method)},
                        {"notices", set.notices}};
  add_families(out, set, families);
  return out;
}

void fit_isoflops_and_print(const IsoflopCommand& options) {
  PointSet set = load_points(options.input, options.selection);
  group_by_flops(set);
  const std::vector<FamilyIsoFlop> families = fit_isoflop(set, options.isoflop);
  if (options.json)
    fmt::print("{}\n", isoflop_json(set, families, options.isoflop).dump(2));
  else
    fmt::print("{}", isoflop_text(set, families, options.isoflop.bootstrap.confidence));
  const bool any = std::any_of(families.begin(), families.end(), [](const FamilyIsoFlop& family) {
    return std::any_of(family.curves.begin(), family.curves.end(), [](const IsoFlopCurve& c) { return c.fitted; });
  });
  if (!any)
    throw Error(ExitCode::failed, {{.what = "no budget has the three sizes that a parabola needs",
                                    .remedy = "name the budget column (--columns budget=…), or train more sizes"}});
}

}  // namespace

void add_isoflop_command(CLI::App& app) {
  auto options = std::make_shared<IsoflopCommand>();
  CLI::App* command =
      app.add_subcommand("isoflop", "Fit a parabola in ln N to every budget, and N*(C) through their minima");
  add_input_options(*command, options->input);
  add_metric_option(*command, options->input);
  add_selection_options(*command, options->selection);
  add_bootstrap_options(*command, options->isoflop.bootstrap);
  static const std::map<std::string, IsoFlopMethod> kMethods = {{"parabola", IsoFlopMethod::parabola},
                                                                {"akima", IsoFlopMethod::akima}};
  command->add_option("--method", options->isoflop.method, "parabola in ln N, or akima: interpolation of ln loss")
      ->transform(CLI::CheckedTransformer(kMethods))
      ->default_str("parabola");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Example: analyze isoflop --csv studies/reference/isoflop_points.csv "
      "--columns n=n_nonembedding,d=tokens,budget=budget_flops,c=budget_flops,loss=nll");
  command->callback([options] { fit_isoflops_and_print(*options); });
}

}  // namespace hyscale::analysis
