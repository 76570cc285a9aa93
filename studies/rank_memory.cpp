#include "studies/rank_memory.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

#include "core/spec/split.h"
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
  const int64_t dp = std::max<int64_t>(resources.ranks / resources.tp, 1);
  const int64_t own = std::max<int64_t>(sequences / dp, 1);
  if (const std::string problem = spec::split_problem(model, resources.tp); !problem.empty()) {
    memory.problem = fmt::format("the model does not split over resources.tp: {}: {}", resources.tp, problem);
    return memory;
  }
  spec::ExecutionShape shape{.tp = resources.tp, .dp = dp, .precision = precision};
  shape.gpu = resources.device == "cuda" || (resources.device == "auto" && resources.gpus > 0);
  const double limit = limit_of(resources);
  const int64_t fitting =
      limit > 0 ? spec::fitting_micro_batch(model, shape, own, limit / spec::kUsableGpuMemory) : int64_t{1};
  memory.micro_batch = shape.gpu ? fitting : std::min(spec::usual_micro_batch(model.context), own);
  if (resources.micro_batch > 0) memory.micro_batch = std::min(resources.micro_batch, own);
  shape.micro_batch = memory.micro_batch;
  memory.bytes = spec::memory_per_rank(model, shape);
  if (sequences % dp != 0)
    memory.problem = fmt::format("a batch of {} sequences does not split over {} {}, over {} it would", sequences, dp,
                                 resources.tp == 1 ? "ranks" : "data-parallel groups", std::gcd(sequences, dp));
  if (limit == 0 || memory.bytes.total() <= limit) return memory;
  shape.micro_batch = fitting;
  const bool would_fit = spec::memory_per_rank(model, shape).total() <= limit;
  memory.problem = fmt::format("a rank needs {:.3g} GiB with {} sequences at once, more than {:.3g}{}",
                               gib(memory.bytes.total()), memory.micro_batch, gib(limit),
                               would_fit ? fmt::format("; resources.micro_batch: {} would fit", fitting) : "");
  return memory;
}

}  // namespace hyscale::studies
