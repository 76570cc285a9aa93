#include "parallel/mesh.h"

#include <fmt/format.h>
#include <numeric>

#include "core/base/error.h"

namespace hyscale::parallel {

void check_tp(int64_t tp) {
  if (tp != 1)
    throw ConfigError({.what = fmt::format("--tp {}: this version splits work over data-parallel ranks only", tp),
                       .remedy = "leave --tp out"});
}

Mesh make_mesh(const Collective& ranks, int tp, const spec::RunConfig& config) {
  check_tp(tp);
  const int64_t sequences = batch_sequences(config);
  if (sequences % ranks.size() != 0)
    throw ConfigError(
        {.what =
             fmt::format("a batch of {} sequences (train.batch_tokens {} / context {}) does not split over {} ranks",
                         sequences, config.train.batch_tokens, config.model.context, ranks.size()),
         .why = "every rank must take the same number of sequences",
         .remedy = fmt::format("run on {} ranks", std::gcd(sequences, static_cast<int64_t>(ranks.size())))});
  return {.dp = ranks.size(), .tp = 1};
}

}  // namespace hyscale::parallel
