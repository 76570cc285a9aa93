#pragma once

#include <string>

#include "core/spec/accounting.h"
#include "core/spec/memory.h"
#include "core/spec/run_config.h"

namespace hyscale::parallel {

/// Everything that can be said of a run before it starts.
struct Inspection {
  spec::RunConfig config;
  spec::Account account;
  spec::ExecutionShape execution;
  spec::MemoryBytes memory;  // of one rank
  std::string run_id;        // "" without the corpus
  std::string id_problem;    // why there is no id
};

std::string inspection_text(const Inspection& inspection);
std::string inspection_json(const Inspection& inspection);

}  // namespace hyscale::parallel
