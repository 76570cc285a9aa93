#pragma once

#include <string>

#include "analysis/bootstrap.h"
#include "analysis/dataset.h"

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
};

void add_input_options(CLI::App& command, InputOptions& options);
void add_bootstrap_options(CLI::App& command, BootstrapOptions& options);

/// Throws ConfigError when neither or both sources are named, or the source is bad.
PointSet load_points(const InputOptions& options);
Dataset load_dataset(const InputOptions& options);

/// STORE/reports/STUDY.
std::string default_report_directory(const InputOptions& options);

}  // namespace hyscale::analysis
