#include "core/spec/split.h"

#include <fmt/format.h>
#include <set>

namespace hyscale::spec {

std::shared_ptr<const MixerSpec> mixer_part(const BlockConfig& block, Shard shard) {
  return shard.size == 1 ? block.mixer : block.mixer->part(shard);
}

// What does not split, each kind of layer once.
static std::vector<std::string> problems_of(const ModelConfig& model, int tp) {
  std::vector<std::string> problems;
  std::set<std::string> seen;
  const auto add = [&](const std::string& problem) {
    if (seen.insert(problem).second) problems.push_back(problem);
  };
  if (model.vocabulary < tp) add(fmt::format("the vocabulary has {} tokens", model.vocabulary));
  for (size_t n = 0; n < model.stack.size(); ++n) {
    const BlockConfig& block = model.stack[n];
    if (const std::string problem = block.mixer->split_problem(tp); !problem.empty())
      add(fmt::format("mixer {}: {}", block.name, problem));
    if (block.ffn && block.ffn->d_ff < tp)
      add(fmt::format("the ffn of mixer {}: d_ff is {}", block.name, block.ffn->d_ff));
  }
  return problems;
}

static constexpr int64_t kMostRanks = 4096;  // tensor-parallel ranks: beyond any node

std::string split_problem(const ModelConfig& model, int64_t tp) {
  if (tp > kMostRanks) return fmt::format("at most {} ranks share a model", kMostRanks);
  const std::vector<std::string> problems = problems_of(model, static_cast<int>(tp));
  return problems.empty() ? "" : problems.front();
}

void check_split(const ModelConfig& model, int64_t tp) {
  const int ranks = static_cast<int>(std::min(tp, kMostRanks));
  const std::vector<std::string> found = problems_of(model, ranks);
  if (tp <= kMostRanks && found.empty()) return;
  int fitting = ranks;
  while (fitting > 1 && !problems_of(model, fitting).empty()) --fitting;
  Problems problems;
  for (const std::string& problem : found)
    problems.add({.what = fmt::format("--tp {}: the model does not split over {} ranks: {}", tp, tp, problem),
                  .why = "every tensor-parallel rank needs a head, a channel and a token of its own",
                  .remedy = fitting > 1 ? fmt::format("use --tp {} or fewer", fitting) : "leave --tp out"});
  if (found.empty()) problems.add({.what = fmt::format("--tp {}: {}", tp, split_problem(model, tp))});
  problems.throw_if_any();
}

}  // namespace hyscale::spec
