#include "core/tensor/memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace hyscale {

static constexpr size_t kAlignment = 64;
static constexpr size_t kSmallestBlock = size_t{1} << 20;

static size_t round_up(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

void Buffer::Free::operator()(void* p) const { std::free(p); }

Buffer Buffer::uninitialised(size_t bytes) {
  Buffer buffer;
  if (bytes == 0) return buffer;
  buffer.size_ = bytes;
  buffer.memory_.reset(std::aligned_alloc(kAlignment, round_up(bytes)));
  if (buffer.memory_ == nullptr) throw std::bad_alloc();
  return buffer;
}

Buffer::Buffer(size_t bytes) : Buffer(uninitialised(bytes)) {
  if (bytes > 0) std::memset(memory_.get(), 0, round_up(bytes));
}

static size_t bytes_of(DType dtype, const Shape& shape) {
  size_t n = size_of(dtype);
  for (const int64_t extent : shape) n *= static_cast<size_t>(extent);
  return n;
}

OwnedTensor::OwnedTensor(DType dtype, const Shape& shape)
    : buffer_(std::max<size_t>(bytes_of(dtype, shape), 1)), tensor_(buffer_.data(), dtype, Device::cpu, shape) {}

int64_t row_stride(DType dtype, int64_t width) {
  constexpr int64_t kAliasing = 1024;  // bytes between rows that share cache sets
  const auto size = static_cast<int64_t>(size_of(dtype));
  return width * size % kAliasing == 0 ? width + static_cast<int64_t>(kAlignment) / size : width;
}

Tensor Arena::tensor(DType dtype, const Shape& shape) {
  const size_t bytes = round_up(std::max<size_t>(bytes_of(dtype, shape), 1));
  for (; now_.block < blocks_.size() && now_.used + bytes > blocks_[now_.block].memory.size(); ++now_.block) {
    blocks_[now_.block].filled = now_.used;
    now_.used = 0;
  }
  if (now_.block == blocks_.size())
    blocks_.push_back({Buffer::uninitialised(std::max({bytes, kSmallestBlock, reserved_bytes()}))});
  void* data = static_cast<std::byte*>(blocks_[now_.block].memory.data()) + now_.used;
  now_.used += bytes;
  size_t in_use = now_.used;
  for (size_t b = 0; b < now_.block; ++b) in_use += blocks_[b].filled;
  peak_ = std::max(peak_, in_use);
  return Tensor(data, dtype, Device::cpu, shape);
}

void Arena::release(Mark mark) {
  now_ = mark;
  if (mark.block > 0 || mark.used > 0 || blocks_.size() < 2) return;
  blocks_.clear();  // first: the old and the new need not fit side by side
  blocks_.push_back({Buffer::uninitialised(peak_)});
}

Tensor Arena::zeroed(DType dtype, const Shape& shape) {
  Tensor t = tensor(dtype, shape);
  std::memset(t.data(), 0, bytes_of(dtype, shape));
  return t;
}

Tensor Arena::matrix(DType dtype, int64_t rows, int64_t width) {
  return tensor(dtype, {rows, row_stride(dtype, width)}).slice(1, 0, width);
}

size_t Arena::reserved_bytes() const {
  size_t total = 0;
  for (const Block& block : blocks_) total += block.memory.size();
  return total;
}

}  // namespace hyscale
