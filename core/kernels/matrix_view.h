#pragma once

#include <cstdint>
#include <utility>

#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// `count` rows (axis 0) or columns (axis 1) from `begin` on.
template <class T>
View<T, 2> part(View<T, 2> v, int axis, int64_t begin, int64_t count) {
  v.data += begin * v.stride(axis);
  v.extents[static_cast<size_t>(axis)] = count;
  return v;
}
template <class T>
View<const T, 2> read_only(View<T, 2> v) {
  return {v.data, v.extents, v.strides};
}
/// The transpose, over the same memory.
template <class T>
View<T, 2> turned(View<T, 2> v) {
  std::swap(v.extents[0], v.extents[1]);
  std::swap(v.strides[0], v.strides[1]);
  return v;
}

}  // namespace hyscale::kernels
