#pragma once

#include "parallel/trained_run.h"

namespace CLI {
class App;
}

namespace hyscale::parallel {

/// The run directory, --checkpoint, --rope-extension, --device and --store, into `options`, which outlives the parsing.
void add_trained_run_options(CLI::App& command, TrainedRunOptions& options);

}  // namespace hyscale::parallel
