#pragma once

#include "core/kernels/ssd.h"

namespace hyscale::kernels {

/// The chunked scan for float and double; arguments as in ssd.h, already checked.
template <class T>
void scan_forward(const SsdShape& shape, const SsdInputs& in, const SsdSaved& saved, const Tensor& y,
                  const Tensor& final_state);
template <class T>
void scan_backward(const SsdShape& shape, const SsdInputs& in, const SsdSaved& saved, const Tensor& dy,
                   const SsdGradients& gradients, Arena& arena);

}  // namespace hyscale::kernels
