#pragma once

#include <string>

#include "core/spec/memory.h"
#include "studies/study_spec.h"

namespace hyscale::studies {

/// What a rank of a run takes.
struct RankMemory {
  int64_t micro_batch = 1;  // sequences: as the spec says, else what the worker will choose
  spec::MemoryBytes bytes = {};
  std::string problem;  // why it cannot run with these resources, or a batch does not split over its ranks; "": it can
};

/// By the accounting of core/spec, against `resources.memory` or the memory of `resources.gpu_kind`; without either
/// nothing is too large, and a GPU counts one sequence at a time. `sequences` is the whole batch.
RankMemory rank_memory(const Resources& resources, const spec::ModelConfig& model, spec::Precision precision,
                       int64_t sequences);

}  // namespace hyscale::studies
