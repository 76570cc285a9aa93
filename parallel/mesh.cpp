#include "parallel/mesh.h"

#include <fmt/format.h>
#include <numeric>

#include "core/base/error.h"
#include "core/spec/split.h"

namespace hyscale::parallel {

static Problems problems_of(int ranks, int tp, const spec::ModelConfig& model) {
  Problems problems;
  if (ranks % tp != 0)
    problems.add({.what = fmt::format("--tp {}: {} rank{} {} no multiple of it", tp, ranks, ranks == 1 ? "" : "s",
                                      ranks == 1 ? "is" : "are"),
                  .why = "dp groups of tp ranks each hold the model",
                  .remedy = fmt::format("start {} ranks (mpirun -n {}), or use --tp {}", tp * (ranks / tp + 1),
                                        tp * (ranks / tp + 1), std::gcd(ranks, tp))});
  try {
    spec::check_split(model, tp);
  } catch (const ConfigError& e) {
    for (const Problem& problem : e.problems()) problems.add(problem);
  }
  return problems;
}

Mesh make_mesh(int ranks, int tp, const spec::ModelConfig& model) {
  problems_of(ranks, tp, model).throw_if_any();
  return {.dp = ranks / tp, .tp = tp};
}

Mesh make_mesh(int ranks, int tp, const spec::RunConfig& config) {
  Problems problems = problems_of(ranks, tp, config.model);
  const int dp = std::max(1, ranks / tp);
  const int64_t sequences = batch_sequences(config);
  if (sequences % dp != 0)
    problems.add(
        {.what = fmt::format("a batch of {} sequences (train.batch_tokens {} / context {}) does not split over {} {}",
                             sequences, config.train.batch_tokens, config.model.context, dp,
                             tp == 1 ? "ranks" : "data-parallel groups"),
         .why = "every rank must take the same number of sequences",
         .remedy = fmt::format("run on {} ranks", tp * std::gcd(sequences, static_cast<int64_t>(dp)))});
  problems.throw_if_any();
  return {.dp = dp, .tp = tp};
}

void check_on_one_host(const Mesh& mesh, const std::vector<int>& first_on_host) {
  const auto tp = static_cast<size_t>(mesh.tp);
  for (size_t rank = 0; rank < first_on_host.size(); ++rank) {
    const size_t first = rank / tp * tp;
    if (first_on_host[rank] == first_on_host[first]) continue;
    throw ConfigError(
        {.what = fmt::format("--tp {}: ranks {} to {} share a model, but rank {} is on another host than rank {}", tp,
                             first, first + tp - 1, rank, first),
         .why = "they exchange activations several times a layer: that has to stay inside a host",
         .remedy = fmt::format("start a multiple of {} ranks on each host (mpirun --map-by ppr:{}:node), or use a "
                               "smaller --tp",
                               tp, tp)});
  }
}

}  // namespace hyscale::parallel
