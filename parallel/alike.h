#pragma once

#include "core/tensor/collective.h"
#include "parallel/execution.h"
#include "parallel/mesh.h"

namespace hyscale::parallel {

/// Throws ConfigError, after all ranks have talked, on each rank that would not compute what rank 0 computes: another
/// run config, mesh, micro-batch, device or program; on ranks that share a model, also other kernels, for copies of a
/// parameter on different ranks must stay equal to the bit. Collective.
void check_alike(const Execution& own, const Mesh& mesh, Collective& ranks);

}  // namespace hyscale::parallel
