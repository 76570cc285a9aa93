#include "core/tensor/tensor.h"

#include <bit>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"

namespace hyscale {

bf16 to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return {static_cast<uint16_t>(bits >> 16 | 0x40u)};  // quiet, whatever its payload
  return {static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}

float to_float(bf16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }

size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return 8;
    case DType::bf16:
      return 2;
    case DType::e4m3:
    case DType::e5m2:
      return 1;
    default:
      return 4;
  }
}

std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::f64:
      return "f64";
    case DType::bf16:
      return "bf16";
    case DType::e4m3:
      return "e4m3";
    case DType::e5m2:
      return "e5m2";
    default:
      return "i32";
  }
}

Shape::Shape(std::span<const int64_t> extents) : rank_(extents.size()) {
  if (extents.size() > kMaxRank) throw ShapeError(fmt::format("rank {} is above {}", extents.size(), kMaxRank));
  std::copy(extents.begin(), extents.end(), extents_.begin());
}

Tensor::Tensor(void* data, DType dtype, Device device, const Shape& shape)
    : data_(data), dtype_(dtype), device_(device), rank_(static_cast<int>(shape.size())) {
  int64_t step = 1;
  for (size_t a = shape.size(); a-- > 0;) {
    extents_[a] = shape[a];
    strides_[a] = step;
    step *= shape[a];
  }
}

int64_t Tensor::numel() const {
  int64_t n = 1;
  for (int a = 0; a < rank_; ++a) n *= extent(a);
  return n;
}

size_t bytes_of(const Tensor& tensor) { return static_cast<size_t>(tensor.numel()) * size_of(tensor.dtype()); }

void throw_not_floating(const char* what, DType dtype) {
  throw ShapeError(fmt::format("{}: {} is no dtype to compute with", what, name_of(dtype)));
}

bool Tensor::is_dense() const {
  int64_t step = 1;
  for (int a = rank_ - 1; a >= 0; --a) {
    if (extent(a) != 1 && stride(a) != step) return false;
    step *= extent(a);
  }
  return true;
}

Shape Tensor::shape() const { return Shape(std::span(extents_.data(), static_cast<size_t>(rank_))); }
std::string Tensor::describe() const { return fmt::format("{}[{}]", name_of(dtype_), fmt::join(shape(), ", ")); }

Tensor Tensor::slice(int axis, int64_t begin, int64_t count) const {
  if (axis < 0 || axis >= rank_ || begin < 0 || count < 0 || begin + count > extent(axis))
    throw ShapeError(fmt::format("slice [{}, {}) of axis {} leaves {}", begin, begin + count, axis, describe()));
  Tensor part = *this;
  part.data_ = static_cast<std::byte*>(data_) + begin * stride(axis) * static_cast<int64_t>(size_of(dtype_));
  part.extents_[static_cast<size_t>(axis)] = count;
  return part;
}

Tensor Tensor::select(int axis, int64_t index) const {
  Tensor part = slice(axis, index, 1);
  for (auto a = static_cast<size_t>(axis); a + 1 < static_cast<size_t>(rank_); ++a)
    part.extents_[a] = part.extents_[a + 1], part.strides_[a] = part.strides_[a + 1];
  --part.rank_;
  return part;
}

// Splits and merges axes from the right; an old group of axes may be merged only where its strides nest.
Tensor Tensor::reshape(const Shape& wanted) const {
  Tensor result(data_, dtype_, device_, wanted);
  if (result.numel() != numel())
    throw ShapeError(fmt::format("{} has no shape [{}]", describe(), fmt::join(wanted, ", ")));
  if (is_dense()) return result;
  int old_axis = rank_ - 1;
  for (int a = result.rank_ - 1; a >= 0;) {
    int64_t old_count = 1, new_count = 1, unit = 0;
    while (old_axis >= 0 && extent(old_axis) == 1) --old_axis;
    if (old_axis >= 0) unit = stride(old_axis), old_count = extent(old_axis--);
    do {
      result.strides_[static_cast<size_t>(a)] = unit * new_count;
      new_count *= result.extent(a--);
      while (old_count < new_count && old_axis >= 0) {
        if (stride(old_axis) != unit * old_count)
          throw ShapeError(fmt::format("{} with gaps has no shape [{}]", describe(), fmt::join(wanted, ", ")));
        old_count *= extent(old_axis--);
      }
    } while (new_count < old_count && a >= 0);
  }
  return result;
}

void Tensor::require(DType dtype, int rank) const {
  if (dtype != dtype_ || rank != rank_)
    throw ShapeError(fmt::format("{} used as {} of rank {}", describe(), name_of(dtype), rank));
}

void expect_shape(const char* what, const Tensor& tensor, const Shape& shape) {
  if (tensor.shape() != shape)
    throw ShapeError(fmt::format("{} is {}, expected [{}]", what, tensor.describe(), fmt::join(shape, ", ")));
}

}  // namespace hyscale
