#include "parallel/run_identity.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/optim/adamw.h"

namespace hyscale::parallel {
namespace {

using nlohmann::json;

std::string shown(const json* value) { return value == nullptr ? "left out" : value->dump(); }

std::optional<std::string> difference(const std::string& path, const json* there, const json* here) {
  if (there != nullptr && here != nullptr && *there == *here) return std::nullopt;
  const auto at = [](const json* value, const std::string& key) {
    return value->contains(key) ? &value->at(key) : nullptr;
  };
  if (there != nullptr && here != nullptr && there->is_object() && here->is_object()) {
    json keys = *there;
    keys.update(*here);
    for (const auto& [key, unused] : keys.items())
      if (const auto found = difference(path.empty() ? key : path + "." + key, at(there, key), at(here, key)))
        return found;
  }
  if (there != nullptr && here != nullptr && there->is_array() && here->is_array() && there->size() == here->size())
    for (size_t i = 0; i < there->size(); ++i)
      if (const auto found = difference(fmt::format("{}[{}]", path, i), &there->at(i), &here->at(i))) return found;
  return fmt::format("{} is {} there and {} here", path, shown(there), shown(here));
}

/// The canonical form without what a branch may change.
std::string without_length(const std::string& canonical) {
  json form = json::parse(canonical);
  form.at("train").erase("tokens");
  form.at("train").at("schedule").erase("cooldown_tokens");
  return form.dump();
}

}  // namespace

RunIdentity identify(spec::RunConfig config, const spec::CorpusIdentity& corpus) {
  RunIdentity identity{.config = std::move(config), .corpus = corpus, .run_id = {}, .canonical = {}, .yaml = {}};
  identity.run_id = spec::run_id(identity.config, corpus);
  identity.canonical = spec::canonical_form(identity.config, corpus);
  identity.yaml = spec::to_yaml(identity.config);
  return identity;
}

std::optional<std::string> first_difference(const std::string& canonical_there, const std::string& canonical_here) {
  const json there = json::parse(canonical_there), here = json::parse(canonical_here);
  return difference("", &there, &here);
}

void check_branch(const RunIdentity& trunk, const RunIdentity& branch, int64_t step, const std::string& checkpoint) {
  const char* why = "a branch is the stand-alone run of its budget, so its trunk must have been that run so far";
  if (const auto found = first_difference(without_length(trunk.canonical), without_length(branch.canonical)))
    throw ConfigError({.what = fmt::format("--from {}: {}", checkpoint, *found),
                       .why = why,
                       .remedy = "branch from a run that differs in train.tokens and cooldown_tokens alone"});
  const spec::TrainConfig &a = trunk.config.train, &b = branch.config.train;
  if (step > b.steps())
    throw ConfigError({.what = fmt::format("--from {}: step {} lies beyond the end of this run, step {}", checkpoint,
                                           step, b.steps()),
                       .remedy = "branch from an earlier checkpoint"});
  for (int64_t k = 0; k < step; ++k) {
    const int64_t tokens = k * b.batch_tokens;
    const double there = optim::learning_rate(a, tokens), here = optim::learning_rate(b, tokens);
    if (there != here)
      throw ConfigError(
          {.what = fmt::format("--from {}: at step {} the learning rate was {} there and would be {} here", checkpoint,
                               k + 1, there, here),
           .why = why,
           .remedy =
               fmt::format("branch at {} tokens or before (train.tokens less cooldown_tokens)",
                           std::min(a.tokens - a.schedule.cooldown_tokens, b.tokens - b.schedule.cooldown_tokens))});
  }
}

}  // namespace hyscale::parallel
