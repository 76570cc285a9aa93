#pragma once

#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "core/base/error.h"
#include "core/tensor/cuda/cuda_context.h"
#include "core/tensor/tensor.h"

// What every device source shares: types, rows by value, and launching.
namespace hyscale::kernels::cuda {

/// The device's form of a host type: bf16 is __nv_bfloat16.
template <class T>
struct OnDevice {
  using Type = T;
};
template <>
struct OnDevice<bf16> {
  using Type = __nv_bfloat16;
};

/// Rows of a matrix, by value into a kernel.
template <class T>
struct Rows {
  T* data = nullptr;
  int64_t stride = 0;  // elements between rows
  __device__ T* operator[](int64_t row) const { return data + row * stride; }
};

/// [rows, width] of `tensor` (rank 2, unit stride in a row); an empty tensor gives a null pointer. T: float,
/// __nv_bfloat16, double or int32_t, const or not; throws ShapeError when the dtype differs.
template <class T>
Rows<T> rows_of(const Tensor& tensor);

inline __device__ float to_f32(float v) { return v; }
inline __device__ float to_f32(__nv_bfloat16 v) { return __bfloat162float(v); }
template <class T>
inline __device__ T from_f32(float v) {
  if constexpr (sizeof(T) == 2)
    return __float2bfloat16_rn(v);
  else
    return v;
}

template <class T>
constexpr DType device_dtype() {
  using Plain = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Plain, __nv_bfloat16>)
    return DType::bf16;
  else
    return dtype_of<Plain>();
}

template <class T>
T* pointer_to(const Tensor& tensor) {
  if (tensor.data() == nullptr) return nullptr;
  if (tensor.dtype() != device_dtype<T>())
    throw ShapeError("a GPU kernel met " + tensor.describe() + " where it wants " +
                     std::string(name_of(device_dtype<T>())));
  return static_cast<T*>(tensor.data());
}

template <class T>
Rows<T> rows_of(const Tensor& tensor) {
  return {pointer_to<T>(tensor), tensor.rank() > 1 ? tensor.stride(0) : 0};
}

/// Calls fn(float{}) or fn(__nv_bfloat16{}) by the dtype of the activations; throws ShapeError for any other.
template <class F>
void with_activation(const char* kernel, DType dtype, F&& fn) {
  if (dtype == DType::bf16) return fn(__nv_bfloat16{});
  if (dtype == DType::f32) return fn(float{});
  throw ShapeError(std::string(kernel) + " on a GPU computes in bf16 or f32, not in " + std::string(name_of(dtype)));
}

/// After a launch: throws when it was refused.
inline void check_launch(const char* kernel) { check_cuda(cudaGetLastError(), kernel); }

constexpr int64_t divide_up(int64_t count, int64_t unit) { return (count + unit - 1) / unit; }

}  // namespace hyscale::kernels::cuda
