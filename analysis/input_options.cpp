#include "analysis/input_options.h"

#include <cstdint>
#include <map>

#include <CLI/CLI.hpp>

#include "analysis/budgets.h"
#include "core/base/error.h"
#include "core/spec/corpus_manifest.h"

namespace hyscale::analysis {

void add_input_options(CLI::App& command, InputOptions& options) {
  command.add_option("study", options.study, "A study of the store");
  command.add_option("--store", options.store, "The store (else HYSCALE_STORE, else ./hyscale-store)");
  auto* csv = command.add_option("--csv", options.csv, "Read the points from this CSV file instead of a study");
  csv->type_name("FILE");
  command.add_option(
      "--columns", options.columns,
      "Which CSV column feeds which field: n=…,d=…,c=…,budget=…,loss=…,se=…,family=…,size=…,run=…,cluster=…");
  command.add_option("--covariates", options.covariates, "CSV columns behind --form covariates, at most two")
      ->delimiter(',')
      ->type_name("COLUMN,…");
  command.add_flag_callback(
      "--from-directories", [&options] { options.where = ReadFrom::directories; },
      "Read the study's run directories instead of the database");
  command.add_option("--params", options.conventions.params, "What N counts (of a study)")
      ->check(CLI::IsMember({"total", "non_embedding", "without_head", "active"}))
      ->capture_default_str();
  command.add_option("--flops", options.conventions.flops, "What C counts (of a study)")
      ->check(CLI::IsMember({"paper", "with_head", "executed", "six_n"}))
      ->capture_default_str();
}

void add_metric_option(CLI::App& command, InputOptions& options) {
  command.add_option("--metric", options.conventions.metric, "What the loss is (of a study)")
      ->check(CLI::IsMember({"nats_per_token", "bits_per_byte"}))
      ->capture_default_str();
}

void add_loss_options(CLI::App& command, FitLoss& loss) {
  static const std::map<std::string, FitLoss::Kind> kKinds = {{"huber", FitLoss::Kind::huber},
                                                              {"l2", FitLoss::Kind::l2}};
  command.add_option("--loss", loss.kind, "huber: of log losses; l2: squares of losses")
      ->transform(CLI::CheckedTransformer(kKinds))
      ->default_str("huber");
  command.add_option("--delta", loss.delta, "Huber threshold in log loss")
      ->check(CLI::Range(1e-9, 10.0))
      ->capture_default_str();
}

void add_form_options(CLI::App& command, FitOptions& options) {
  static const std::map<std::string, Form::Kind> kForms = {{"chinchilla", Form::Kind::chinchilla},
                                                           {"fixed-E", Form::Kind::fixed_e},
                                                           {"shared-exponent", Form::Kind::shared_exponent},
                                                           {"interaction", Form::Kind::interaction},
                                                           {"kaplan", Form::Kind::kaplan},
                                                           {"overtraining", Form::Kind::overtraining},
                                                           {"covariates", Form::Kind::covariates}};
  static const std::map<std::string, Joint> kJoints = {
      {"none", Joint::none}, {"E", Joint::floor}, {"exponents", Joint::exponents}, {"all", Joint::all}};
  static const std::map<std::string, StartGrid> kGrids = {{"projection", StartGrid::projection},
                                                          {"published", StartGrid::published}};
  command.add_option("--form", options.form.kind, "Which numbers of the law are free")
      ->transform(CLI::CheckedTransformer(kForms))
      ->default_str("chinchilla");
  command.add_option("--fixed-e", options.form.fixed_floor, "E of --form fixed-E")->check(CLI::PositiveNumber);
  command.add_option("--joint", options.joint, "What the families share: one fit over all of them")
      ->transform(CLI::CheckedTransformer(kJoints))
      ->default_str("none");
  command.add_option("--starts", options.starts, "Where searches start; published: also the 4,500 of Hoffmann et al.")
      ->transform(CLI::CheckedTransformer(kGrids))
      ->default_str("projection");
}

void add_bootstrap_options(CLI::App& command, BootstrapOptions& options) {
  command.add_option("--bootstrap", options.resamples, "Resamples behind the intervals; 0 leaves them out")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  command.add_option("--seed", options.seed, "Seed of the resampling")->capture_default_str();
  command.add_option("--confidence", options.confidence, "Of the two-sided intervals")
      ->check(CLI::Range(0.5, 0.999))
      ->capture_default_str();
}

void add_selection_options(CLI::App& command, Selection& selection) {
  command.add_option("--where", selection.where, "Points that fulfil this alone: 'n >= 1e6 and loss < 4'")
      ->type_name("EXPR");
  command.add_option("--max-flops", selection.max_flops, "Points of at most so many FLOPs")
      ->check(CLI::PositiveNumber)
      ->type_name("C")
      ->default_str("all");
  command.add_option("--drop-highest", selection.drop_highest, "Leave out so many of the largest losses left")
      ->check(CLI::NonNegativeNumber)
      ->type_name("K")
      ->capture_default_str();
}

static void check_source(const InputOptions& options) {
  if (options.study.empty() == options.csv.empty())
    throw ConfigError(
        Problem{.what = options.study.empty() ? "nothing to analyse" : "both a study and a CSV file are named",
                .remedy = "name a study, or a file: --csv points.csv --columns n=params,d=tokens,loss=nll"});
  if (!options.columns.empty() && options.csv.empty())
    throw ConfigError(
        Problem{.what = "--columns belongs to --csv FILE", .remedy = "leave it out, a study names its columns"});
}

PointSet load_points(const InputOptions& options, const Selection& selection) {
  check_source(options);
  const ColumnMap columns = parse_columns(options.columns);
  PointSet set = options.csv.empty() ? points_from_study(spec::store_directory(options.store), options.study,
                                                         options.conventions, options.where)
                                     : points_from_csv(options.csv, columns, options.covariates);
  return selected(std::move(set), selection, columns);
}

Dataset load_dataset(const InputOptions& options) {
  check_source(options);
  if (!options.csv.empty()) {
    PointSet set = load_points(options);
    group_by_flops(set);
    return dataset_from_points(std::move(set));
  }
  return dataset_from_study(spec::store_directory(options.store), options.study, options.conventions, options.where);
}

std::string default_report_directory(const InputOptions& options) {
  return spec::store_directory(options.store) + "/reports/" + options.study;
}

}  // namespace hyscale::analysis
