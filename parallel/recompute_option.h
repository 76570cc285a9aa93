#pragma once

#include "core/spec/run_config.h"

namespace CLI {
class App;
}

namespace hyscale::parallel {

/// --recompute, into `value`, which outlives the parsing.
void add_recompute_option(CLI::App& command, spec::Recompute& value);

}  // namespace hyscale::parallel
