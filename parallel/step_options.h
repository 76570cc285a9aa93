#pragma once

#include "core/spec/run_config.h"

namespace CLI {
class App;
}

namespace hyscale::parallel {

/// How a step is computed, of what no config speaks.
struct StepOptions {
  spec::Recompute recompute = spec::Recompute::none;
  bool side_by_side = false;  // a hybrid layer's branches (Model::run_branches_side_by_side)
};

/// --recompute, into `value`, which outlives the parsing.
void add_recompute_option(CLI::App& command, spec::Recompute& value);
/// It and --branches, alike.
void add_step_options(CLI::App& command, StepOptions& value);

}  // namespace hyscale::parallel
