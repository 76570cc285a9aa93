#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "analysis/commands.h"
#include "analysis/holdout.h"
#include "analysis/input_options.h"
#include "analysis/joint_fit.h"
#include "analysis/json_output.h"
#include "analysis/text_output.h"
#include "core/base/error.h"

namespace hyscale::analysis {
namespace {

struct FitCommand {
  InputOptions input;
  Selection selection;
  std::string holdout;
  FitOptions fit;
  bool json = false;
};

struct Fitted {
  PointSet set;
  JointFit joint;  // of separate fits: with Joint::none
  std::optional<PointSet> held = {};
};

void check(FitCommand& options) {
  Form& form = options.fit.form;
  form.covariates = options.input.covariates;
  Problems problems;
  if ((form.kind == Form::Kind::fixed_e) != std::isfinite(form.fixed_floor))
    problems.add({.what = "--form fixed-E and --fixed-e VALUE belong together", .remedy = "give both, or neither"});
  if ((form.kind == Form::Kind::covariates) == form.covariates.empty())
    problems.add(
        {.what = "--form covariates and --covariates COLUMN belong together", .remedy = "give both, or neither"});
  if (form.covariates.size() > 2)
    problems.add({.what = "more than two covariates", .remedy = "choose the two that matter most"});
  problems.throw_if_any();
}

Fitted fit_all(const FitCommand& options) {
  Fitted done{.set = load_points(options.input, options.selection), .joint = {}};
  if (!options.holdout.empty()) done.held = hold_out(done.set, options.holdout, parse_columns(options.input.columns));
  if (options.fit.joint == Joint::none)
    done.joint.families = fit_families(done.set, options.fit);
  else
    done.joint = fit_jointly(done.set, options.fit);
  return done;
}

void add_foretold(nlohmann::json& out, const Fitted& done) {
  for (const FamilyFit& fit : done.joint.families) {
    if (!fit.fitted) continue;
    nlohmann::json& of = done.set.has_families ? out["families"][fit.family] : out;
    of["holdout"] = to_json(foretell(fit, done.set, *done.held));
  }
}

nlohmann::json fits_json(const Fitted& done, const FitOptions& options) {
  nlohmann::json out = {{"source", done.set.source},
                        {"n_is", done.set.n_name},
                        {"c_is", done.set.c_name},
                        {"loss_is", done.set.loss_name},
                        {"loss", name_of(options.loss.kind)},
                        {"delta", options.loss.delta},
                        {"confidence", options.bootstrap.confidence},
                        {"notices", done.set.notices}};
  add_families(out, done.set, done.joint.families);
  if (options.joint != Joint::none) add_shared(out, done.joint);
  if (done.held) add_foretold(out, done);
  return out;
}

std::string foretold_text(const Fitted& done) {
  std::string text;
  for (const FamilyFit& fit : done.joint.families) {
    const Foretold foretold = foretell(fit, done.set, *done.held);
    if (fit.fitted && !foretold.points.empty())
      text += fmt::format(
          "held out of {}: {} points, up to 10^{:.1f} x the largest C fitted; ln L misses by {:.2e} (rms), "
          "{:+.2e} on average\n",
          fit.family, foretold.points.size(), foretold.decades, foretold.rms, foretold.bias);
  }
  return text;
}

void fit_and_print(FitCommand& options) {
  check(options);
  const Fitted done = fit_all(options);
  if (options.json) {
    fmt::print("{}\n", fits_json(done, options.fit).dump(2));
  } else {
    fmt::print("{}", fits_text(done.set, done.joint.families, options.fit.bootstrap.confidence));
    if (options.fit.joint != Joint::none) fmt::print("{}", joint_text(done.joint));
    if (done.held) fmt::print("{}", foretold_text(done));
  }
  if (done.joint.fitted()) return;
  throw Error(ExitCode::failed,
              {{.what = "no family could be fitted",
                .why = done.joint.families.empty() ? "" : done.joint.families.front().reasons.front(),
                .remedy = "train more sizes and token counts, or check which column feeds which field"}});
}

}  // namespace

void add_fit_command(CLI::App& app) {
  auto options = std::make_shared<FitCommand>();
  CLI::App* command = app.add_subcommand("fit", "Fit L = E + A/N^alpha + B/D^beta per family");
  add_input_options(*command, options->input);
  add_metric_option(*command, options->input);
  add_form_options(*command, options->fit);
  add_loss_options(*command, options->fit.loss);
  add_selection_options(*command, options->selection);
  command->add_option("--holdout", options->holdout, "Points that fulfil this are foretold instead of fitted")
      ->type_name("EXPR");
  add_bootstrap_options(*command, options->fit.bootstrap);
  command->add_option("--budgets", options->fit.budgets, "FLOPs to allocate; the points' own budgets otherwise")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Examples: analyze fit --csv points.csv --columns n=\"Model Size\",c=\"Training FLOP\",loss=loss --drop-highest "
      "5\n"
      "          analyze fit my-study --joint exponents --holdout 'c > 1e19' --json");
  command->callback([options] { fit_and_print(*options); });
}

}  // namespace hyscale::analysis
