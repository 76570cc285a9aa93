#pragma once

#include <optional>
#include <string>

#include "core/spec/run_config.h"

namespace hyscale::parallel {

/// What a run is: its config and the corpus it reads, in every form that is needed.
struct RunIdentity {
  spec::RunConfig config;
  spec::CorpusIdentity corpus;
  std::string run_id;
  std::string canonical;  // spec::canonical_form
  std::string yaml;       // spec::to_yaml
};
RunIdentity identify(spec::RunConfig config, const spec::CorpusIdentity& corpus);

/// The first field, in the order of the canonical form, in which two of them differ: "train.optimizer.lr is 0.003
/// there and 0.001 here". nullopt when they are equal.
std::optional<std::string> first_difference(const std::string& canonical_there, const std::string& canonical_here);

/// Throws ConfigError unless `branch` is, up to tokens and cool-down, the run that `trunk` is, and both have the same
/// learning rate at each of the first `step` steps. `checkpoint` is named in the message.
void check_branch(const RunIdentity& trunk, const RunIdentity& branch, int64_t step, const std::string& checkpoint);

}  // namespace hyscale::parallel
