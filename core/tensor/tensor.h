#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/tensor/shape.h"

namespace hyscale {

/// e4m3 and e5m2: eight bits, core/tensor/float8.h.
enum class DType : uint8_t { f32, f64, bf16, i32, e4m3, e5m2 };
enum class Device : uint8_t { cpu, cuda };

/// The upper half of a float. Arithmetic happens in wider types.
struct bf16 {
  uint16_t bits = 0;
};
bf16 to_bf16(float value);  // to the nearest, ties to even; NaN stays NaN
float to_float(bf16 value);
inline double to_double(float value) { return static_cast<double>(value); }
inline double to_double(double value) { return value; }
inline double to_double(bf16 value) { return static_cast<double>(to_float(value)); }

/// What sums, statistics and losses over entries of `dtype` are kept in: bf16 → f32, else `dtype` itself.
constexpr DType wide(DType dtype) { return dtype == DType::bf16 ? DType::f32 : dtype; }

size_t size_of(DType dtype);
std::string_view name_of(DType dtype);  // "f32"

template <class T>
constexpr DType dtype_of() {
  using Plain = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Plain, float>)
    return DType::f32;
  else if constexpr (std::is_same_v<Plain, double>)
    return DType::f64;
  else if constexpr (std::is_same_v<Plain, bf16>)
    return DType::bf16;
  else if constexpr (std::is_same_v<Plain, int32_t>)
    return DType::i32;
  else
    static_assert(!sizeof(T), "no DType for this type");
}

/// A typed, strided window on memory somebody else owns; what kernels index. v(i, j, k), last stride usually 1.
template <class T, int R>
struct View {
  T* data = nullptr;
  std::array<int64_t, R> extents{};
  std::array<int64_t, R> strides{};

  int64_t extent(int axis) const { return extents[static_cast<size_t>(axis)]; }
  int64_t stride(int axis) const { return strides[static_cast<size_t>(axis)]; }
  template <class... I>
  T& operator()(I... index) const {
    static_assert(sizeof...(I) == R);
    const std::array<int64_t, R> at{static_cast<int64_t>(index)...};
    int64_t offset = 0;
    for (size_t a = 0; a < R; ++a) offset += at[a] * strides[a];
    return data[offset];
  }
};

/// The same window with dtype and rank known at run time only; what layers pass around. Owns nothing, copies freely.
/// Layers are written once against Tensor; kernels pick the code for dtype and device.
class Tensor {
 public:
  Tensor() = default;
  /// Dense row-major over `data`.
  Tensor(void* data, DType dtype, Device device, const Shape& shape);

  void* data() const { return data_; }
  DType dtype() const { return dtype_; }
  Device device() const { return device_; }
  int rank() const { return rank_; }
  bool empty() const { return data_ == nullptr || numel() == 0; }
  int64_t extent(int axis) const { return extents_[static_cast<size_t>(axis)]; }
  int64_t stride(int axis) const { return strides_[static_cast<size_t>(axis)]; }
  int64_t numel() const;
  bool is_dense() const;  // row-major without gaps
  Shape shape() const;
  std::string describe() const;  // "f32[4, 256, 64]"

  /// Entries begin … begin + count - 1 of one axis.
  Tensor slice(int axis, int64_t begin, int64_t count) const;
  /// One entry of one axis; that axis disappears.
  Tensor select(int axis, int64_t index) const;
  /// Another shape over the same entries; throws ShapeError when the strides do not allow it.
  Tensor reshape(const Shape& shape) const;

  /// Throws ShapeError when dtype or rank differ.
  template <class T, int R>
  View<T, R> view() const {
    require(dtype_of<T>(), R);
    View<T, R> v{static_cast<T*>(data_), {}, {}};
    for (size_t a = 0; a < R; ++a) v.extents[a] = extents_[a], v.strides[a] = strides_[a];
    return v;
  }
  template <class T>
  T* as() const {
    require(dtype_of<T>(), rank_);
    return static_cast<T*>(data_);
  }

 private:
  void require(DType dtype, int rank) const;

  void* data_ = nullptr;
  DType dtype_ = DType::f32;
  Device device_ = Device::cpu;
  int rank_ = 0;
  std::array<int64_t, Shape::kMaxRank> extents_{};
  std::array<int64_t, Shape::kMaxRank> strides_{};
};

[[noreturn]] void throw_not_floating(const char* what, DType dtype);

/// Of its entries, without what lies between them.
size_t bytes_of(const Tensor& tensor);

/// Throws ShapeError naming `what`, the shape found and the shape wanted.
void expect_shape(const char* what, const Tensor& tensor, const Shape& shape);

/// Calls fn(float{}) or fn(double{}) by dtype: how a CPU kernel turns a run-time dtype into a type.
template <class F>
void with_real(DType dtype, F&& fn) {
  if (dtype == DType::f64)
    fn(double{});
  else
    fn(float{});
}

/// Calls fn(float{}), fn(double{}) or fn(bf16{}) by dtype; throws ShapeError naming `what` for any other.
template <class F>
void with_floating(const char* what, DType dtype, F&& fn) {
  switch (dtype) {
    case DType::f32:
      return fn(float{});
    case DType::f64:
      return fn(double{});
    case DType::bf16:
      return fn(bf16{});
    default:
      throw_not_floating(what, dtype);
  }
}

}  // namespace hyscale
