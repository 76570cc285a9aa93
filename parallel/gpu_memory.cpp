#include "parallel/gpu_memory.h"

#include <algorithm>
#include <fmt/format.h>

namespace hyscale::parallel {

static spec::MemoryBytes foretell(const spec::ModelConfig& model, spec::Precision precision, spec::Recompute recompute,
                                  int64_t micro_batch) {
  return spec::memory_per_rank(
      model, {.dp = 1, .micro_batch = micro_batch, .precision = precision, .gpu = true, .recompute = recompute});
}

int64_t fitting_micro_batch(const spec::ModelConfig& model, spec::Precision precision, spec::Recompute recompute,
                            int64_t most, size_t bytes) {
  return spec::fitting_micro_batch(model, {.precision = precision, .gpu = true, .recompute = recompute}, most,
                                   static_cast<double>(bytes));
}

OutOfMemory explain(const OutOfMemory& error, const spec::RunConfig& config, int64_t micro_batch,
                    spec::Recompute recompute, MemoryUse gpu) {
  const auto gib = [](double bytes) { return bytes / (1 << 30); };
  const spec::MemoryBytes m = foretell(config.model, config.train.precision, recompute, micro_batch);
  Problem problem = error.problems().front();
  problem.what += fmt::format(
      "\n  a micro-batch of {} sequences of {} tokens needs, in GiB:\n"
      "    weights     {:8.2f}\n    gradients   {:8.2f}\n    optimizer   {:8.2f}\n    activations {:8.2f}\n"
      "    scratch     {:8.2f}\n    together    {:8.2f} of {:.2f}",
      micro_batch, config.model.context, gib(m.weights), gib(m.gradients), gib(m.optimizer), gib(m.activations),
      gib(m.scratch), gib(m.total()), gib(static_cast<double>(gpu.total)));
  const int64_t fits =
      fitting_micro_batch(config.model, config.train.precision, recompute, micro_batch - 1, gpu.free + gpu.taken);
  const bool some_fit = micro_batch > 1 && foretell(config.model, config.train.precision, recompute, fits).total() <
                                               spec::kUsableGpuMemory * static_cast<double>(gpu.free + gpu.taken);
  problem.remedy = some_fit ? fmt::format("--micro-batch {} would fit", fits)
                            : "not even one sequence at a time would fit: train a smaller model or a shorter context";
  if (recompute == spec::Recompute::none) problem.remedy += "; --recompute swiglu takes less memory and little time";
  return OutOfMemory(std::move(problem));
}

}  // namespace hyscale::parallel
