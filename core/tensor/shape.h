#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace hyscale {

/// Extents, one for each axis. Lives where it stands: a training step makes thousands and allocates nothing.
class Shape {
 public:
  static constexpr size_t kMaxRank = 5;

  Shape() = default;
  Shape(std::initializer_list<int64_t> extents) : Shape(std::span(extents.begin(), extents.size())) {}
  Shape(const std::vector<int64_t>& extents) : Shape(std::span(extents)) {}
  /// Throws ShapeError above kMaxRank axes.
  explicit Shape(std::span<const int64_t> extents);

  size_t size() const { return rank_; }
  int64_t operator[](size_t axis) const { return extents_[axis]; }
  const int64_t* begin() const { return extents_.data(); }
  const int64_t* end() const { return extents_.data() + rank_; }
  friend bool operator==(const Shape& a, const Shape& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

 private:
  std::array<int64_t, kMaxRank> extents_{};
  size_t rank_ = 0;
};

}  // namespace hyscale
