#include "studies/rank_memory.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

#include "studies/gpu_kinds.h"

namespace hyscale::studies {

static double gib(double bytes) { return bytes / 1073741824.0; }

// Bytes that a rank may take; 0: nobody knows.
static double limit_of(const Resources& resources) {
  if (resources.memory > 0) return resources.memory;
  const double gpu = memory_of_gpu_kind(resources.gpu_kind).value_or(0);
  return gpu * spec::kUsableGpuMemory / static_cast<double>(resources.runs_per_gpu);
}

RankMemory rank_memory(const Resources& resources, const spec::ModelConfig& model, spec::Precision precision,
                       int64_t sequences) {
  RankMemory memory;
  const int64_t ranks = std::max<int64_t>(resources.ranks, 1), own = std::max<int64_t>(sequences / ranks, 1);
  spec::ExecutionShape shape{.dp = ranks, .precision = precision};
  shape.gpu = resources.device == "cuda" || (resources.device == "auto" && resources.gpus > 0);
  const double limit = limit_of(resources);
  const int64_t fitting =
      limit > 0 ? spec::fitting_micro_batch(model, shape, own, limit / spec::kUsableGpuMemory) : int64_t{1};
  memory.micro_batch = shape.gpu ? fitting : std::min(spec::usual_micro_batch(model.context), own);
  if (resources.micro_batch > 0) memory.micro_batch = std::min(resources.micro_batch, own);
  shape.micro_batch = memory.micro_batch;
  memory.bytes = spec::memory_per_rank(model, shape);
  if (sequences % ranks != 0)
    memory.problem = fmt::format("a batch of {} sequences does not split over {} ranks, over {} it would", sequences,
                                 ranks, std::gcd(sequences, ranks));
  if (limit == 0 || memory.bytes.total() <= limit) return memory;
  shape.micro_batch = fitting;
  const bool would_fit = spec::memory_per_rank(model, shape).total() <= limit;
  memory.problem = fmt::format("a rank needs {:.3g} GiB with {} sequences at once, more than {:.3g}{}",
                               gib(memory.bytes.total()), memory.micro_batch, gib(limit),
                               would_fit ? fmt::format("; resources.micro_batch: {} would fit", fitting) : "");
  return memory;
}

}  // namespace hyscale::studies
