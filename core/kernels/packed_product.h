#pragma once

#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// out [m, n] = alpha · a [m, k] · b [k, n], or += when `accumulate`; all extents > 0. The last stride of
/// `out` is 1. Runs on the OpenMP threads; the cut into tasks depends on the shapes alone, so the result does not
/// depend on the number of threads.
///
/// b is packed into panels as wide as the micro-kernel's tile, so that no stride of the caller's costs cache sets or
/// TLB entries; each task multiplies a block of rows of `a`, packed too where its columns are contiguous (Goto & van de
/// Geijn 2008). One core of Zen 4 with a peak of 88 GFLOP/s: 77 to 87 at the shapes of a training step. oneDNN 2.6
/// reaches 72 to 87 on rows like ours, but 33 to 58 where rows lie 2 or 4 KiB apart, and 50 on an attention tile.
template <class T>
void packed_product(View<const T, 2> a, View<const T, 2> b, View<T, 2> out, bool accumulate, T alpha);

}  // namespace hyscale::kernels
