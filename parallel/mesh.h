#pragma once

#include <cstdint>

#include "core/spec/run_config.h"
#include "core/tensor/collective.h"

namespace hyscale::parallel {

/// How the ranks share the work: `dp` groups that each hold the whole model, of `tp` ranks that each hold a part of it.
struct Mesh {
  int dp = 1;
  int tp = 1;
};

/// Throws ConfigError when `tp` is not offered.
void check_tp(int64_t tp);

/// Throws ConfigError when `tp` is not offered, does not divide the ranks, or the batch does not split over dp.
Mesh make_mesh(const Collective& ranks, int tp, const spec::RunConfig& config);

/// Sequences of one global batch.
inline int64_t batch_sequences(const spec::RunConfig& config) {
  return config.train.batch_tokens / config.model.context;
}

}  // namespace hyscale::parallel
