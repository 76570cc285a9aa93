#pragma once

#include <span>

#include "core/mixers/parameters.h"
#include "core/tensor/exec.h"
#include "core/tensor/tensor_group.h"

namespace hyscale::model {

/// Adds up, over the ranks that hold copies of the same entries of a tensor, the gradients that each computed from its
/// own heads or channels (ParameterPart::summed). Afterwards all copies of an entry have the same gradient, to the bit.
/// Collective.
void sum_shared_gradients(std::span<const Parameter> parameters, TensorGroup& ranks, const Exec& exec);

}  // namespace hyscale::model
