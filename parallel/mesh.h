#pragma once

#include <cstdint>
#include <vector>

#include "core/spec/run_config.h"
#include "core/tensor/collective.h"

namespace hyscale::parallel {

/// How the ranks share the work: `dp` groups that each hold the whole model, of `tp` ranks that each hold a part of it.
/// The ranks of one group follow one another, so that a launcher puts them on one node.
struct Mesh {
  int dp = 1;
  int tp = 1;
};

/// What the calls of a rank's groups have cost the thread that makes them.
struct Waits {
  double seconds = 0;  // in calls so far: nothing is computed meanwhile
  double delay = 0;    // seconds that each call sleeps, on purpose: a slow network for those who measure
};

/// The groups that a rank is in.
struct Groups {
  Collective& world;       // every rank
  Collective& data;        // those that hold the same part of the model and work on other sequences
  Collective& tensor;      // those that hold the other parts of the model and work on the same sequences
  Waits* waits = nullptr;  // of their calls; null: nobody counts
};

/// Throws ConfigError when the ranks are no multiple of `tp`, the batch does not split over dp, or the model not over
/// tp: with all that is wrong.
Mesh make_mesh(int ranks, int tp, const spec::RunConfig& config);

/// The same for work that has no batch.
Mesh make_mesh(int ranks, int tp, const spec::ModelConfig& model);

/// Throws ConfigError when ranks that share a model are on different hosts. `first_on_host`: for each rank the lowest
/// rank on its host.
void check_on_one_host(const Mesh& mesh, const std::vector<int>& first_on_host);

/// Sequences of one global batch.
inline int64_t batch_sequences(const spec::RunConfig& config) {
  return config.train.batch_tokens / config.model.context;
}

}  // namespace hyscale::parallel
