#pragma once

#include <cstdint>

#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// Whether few_rows_product serves a·b: few rows of `a`, and sums that run along memory in both.
template <class T>
bool has_few_rows(const View<const T, 2>& a, const View<const T, 2>& b);

/// out (+)= alpha · a·b where it does: reads `b` once, as it lies. What decoding spends its time on: there a weight is
/// read for one token of each sequence. Sums do not depend on threads nor on the other rows.
template <class T>
void few_rows_product(const View<const T, 2>& a, const View<const T, 2>& b, const View<T, 2>& out, bool accumulate,
                      T alpha);

}  // namespace hyscale::kernels
