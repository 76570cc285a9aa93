#include <cmath>
#include <fmt/format.h>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "analysis/commands.h"
#include "analysis/compare.h"
#include "analysis/input_options.h"
#include "analysis/json_output.h"
#include "analysis/number_text.h"
#include "analysis/text_output.h"
#include "core/base/error.h"

namespace hyscale::analysis {
namespace {

struct CompareCommand {
  InputOptions input;
  Selection selection;
  FitOptions fit;
  std::string by = "family";
  bool json = false;
};

nlohmann::json comparison_json(const PointSet& set, const Comparison& comparison) {
  nlohmann::json out = {{"source", set.source},
                        {"n_is", set.n_name},
                        {"c_is", set.c_name},
                        {"loss_is", set.loss_name},
                        {"notices", set.notices}};
  add_families(out, set, comparison.families);
  for (const JointFit& joint : comparison.joint) {
    nlohmann::json& one = out["joint"].emplace_back();
    add_shared(one, joint);
  }
  for (const FamilyPair& pair : comparison.pairs) out["pairs"].push_back(to_json(pair));
  return out;
}

std::string multiplier_text(const FamilyPair& pair) {
  if (pair.multipliers.empty())
    return "  no loss is reached inside both families' budgets: no compute multiplier; train both over the same ones\n";
  std::vector<std::vector<std::string>> rows = {{"  " + pair.reference + " FLOPs", "loss", "multiplier", "95% band"}};
  const size_t step = std::max<size_t>(1, pair.multipliers.size() / 6);
  for (size_t i = 0; i < pair.multipliers.size(); i += step) {
    const ComputeMultiplier& at = pair.multipliers[i];
    rows.push_back({"  " + short_flops(at.flops), fixed(at.loss, 4), fixed(at.value, 3),
                    interval_text(at.ci95, Quantity::exponent)});
  }
  std::string text = text_table(rows);
  if (!std::isnan(pair.crossover))
    text += fmt::format("  both cost the same at {} FLOPs (95% {} to {}; {:.0f}% of the resamples cross)\n",
                        short_flops(pair.crossover), short_flops(pair.crossover_ci95.low),
                        short_flops(pair.crossover_ci95.high), 100 * pair.crossing_share);
  return text;
}

std::string pair_text(const FamilyPair& pair) {
  std::string text = fmt::format("\n{} against {}: compute that {} needs over what {} needs for one loss\n", pair.other,
                                 pair.reference, pair.reference, pair.other);
  text += multiplier_text(pair);
  const PairedDifference& paired = pair.paired;
  if (paired.pairs == 0) return text + "  no runs share size, budget and seed: nothing to pair\n";
  return text + fmt::format(
                    "  {} pairs of equal size, budget and seed: {} lower in {}, by {} nats on average "
                    "(95% {} to {}, p = {:.2g})\n",
                    paired.pairs, pair.other, paired.other_lower, fixed(-paired.mean, 4), fixed(-paired.ci95.high, 4),
                    fixed(-paired.ci95.low, 4), paired.p);
}

void compare_and_print(const CompareCommand& options) {
  const PointSet set = load_points(options.input, options.selection);
  const Comparison comparison = compare_families(set, options.fit);
  if (options.json) {
    fmt::print("{}\n", comparison_json(set, comparison).dump(2));
  } else {
    fmt::print("{}\n", fits_text(set, comparison.families, options.fit.bootstrap.confidence));
    for (const JointFit& joint : comparison.joint) fmt::print("{}", joint_text(joint));
    for (const FamilyPair& pair : comparison.pairs) fmt::print("{}", pair_text(pair));
  }
  for (const FamilyFit& fit : comparison.families)
    if (fit.fitted) return;
  throw Error(ExitCode::failed, {{.what = "no family could be fitted",
                                  .why = comparison.families.front().reasons.front(),
                                  .remedy = "train more sizes and token counts"}});
}

}  // namespace

void add_compare_command(CLI::App& app) {
  auto options = std::make_shared<CompareCommand>();
  CLI::App* command = app.add_subcommand(
      "compare", "Say what families share, what each saves at equal loss, and how runs of equal seed differ");
  add_input_options(*command, options->input);
  add_metric_option(*command, options->input);
  command->add_option("--by", options->by, "What to compare")->check(CLI::IsMember({"family"}))->capture_default_str();
  add_loss_options(*command, options->fit.loss);
  add_selection_options(*command, options->selection);
  add_bootstrap_options(*command, options->fit.bootstrap);
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Example: analyze compare --csv runs.csv --columns n=params,d=tokens,loss=nll,family=arch --by family");
  command->callback([options] { compare_and_print(*options); });
}

}  // namespace hyscale::analysis
