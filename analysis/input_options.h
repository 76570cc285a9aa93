#pragma once

#include <string>
#include <vector>

#include "analysis/dataset.h"
#include "analysis/law_fit.h"
#include "analysis/selection.h"

namespace CLI {
class App;
}

namespace hyscale::analysis {

/// Where the points come from: a study of the store, or a CSV file. Every command takes these.
struct InputOptions {
  std::string study;
  std::string store;
  std::string csv;
  std::string columns;
  Conventions conventions;
  std::vector<std::string> covariates;  // CSV columns
  ReadFrom where = ReadFrom::database;
};

void add_input_options(CLI::App& command, InputOptions& options);
/// --metric, of commands that may fit another loss than nats per token.
void add_metric_option(CLI::App& command, InputOptions& options);
/// --loss, --delta.
void add_loss_options(CLI::App& command, FitLoss& loss);
/// --form, --fixed-e, --joint, --starts.
void add_form_options(CLI::App& command, FitOptions& options);
void add_bootstrap_options(CLI::App& command, BootstrapOptions& options);

void add_selection_options(CLI::App& command, Selection& selection);

/// Throws ConfigError when neither or both sources are named, the source is bad, or nothing is selected.
PointSet load_points(const InputOptions& options, const Selection& selection = {});
Dataset load_dataset(const InputOptions& options);

/// STORE/reports/STUDY.
std::string default_report_directory(const InputOptions& options);

}  // namespace hyscale::analysis
