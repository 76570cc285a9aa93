#pragma once

#include <cstdint>

#include "core/base/error.h"
#include "core/spec/memory.h"
#include "core/tensor/device_context.h"

namespace hyscale::parallel {

/// The largest micro-batch of at most `most` sequences that trains in `bytes` of GPU memory, by the accounting; 1 when
/// not even that fits.
int64_t fitting_micro_batch(const spec::ModelConfig& model, spec::Precision precision, spec::Recompute recompute,
                            int64_t most, size_t bytes);

/// What to tell a person whose run did not fit: what was said, the table by category, and a micro-batch that fits.
OutOfMemory explain(const OutOfMemory& error, const spec::RunConfig& config, int64_t micro_batch,
                    spec::Recompute recompute, MemoryUse gpu);

}  // namespace hyscale::parallel
