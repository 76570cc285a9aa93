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

Buffer::Buffer(size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  memory_.reset(std::aligned_alloc(kAlignment, round_up(bytes)));
  if (memory_ == nullptr) throw std::bad_alloc();
  std::memset(memory_.get(), 0, round_up(bytes));
}

static size_t bytes_of(DType dtype, const std::vector<int64_t>& shape) {
  size_t n = size_of(dtype);
  for (const int64_t extent : shape) n *= static_cast<size_t>(extent);
  return n;
}

OwnedTensor::OwnedTensor(DType dtype, const std::vector<int64_t>& shape)
    : buffer_(std::max<size_t>(bytes_of(dtype, shape), 1)), tensor_(buffer_.data(), dtype, Device::cpu, shape) {}

Tensor Arena::tensor(DType dtype, const std::vector<int64_t>& shape) {
  const size_t bytes = round_up(std::max<size_t>(bytes_of(dtype, shape), 1));
  while (now_.block < blocks_.size() && now_.used + bytes > blocks_[now_.block].size()) ++now_.block, now_.used = 0;
  if (now_.block == blocks_.size()) blocks_.emplace_back(std::max({bytes, kSmallestBlock, reserved_bytes()}));
  void* data = static_cast<std::byte*>(blocks_[now_.block].data()) + now_.used;
  now_.used += bytes;
  return Tensor(data, dtype, Device::cpu, shape);
}

Tensor Arena::zeroed(DType dtype, const std::vector<int64_t>& shape) {
  Tensor t = tensor(dtype, shape);
  std::memset(t.data(), 0, bytes_of(dtype, shape));
  return t;
}

size_t Arena::reserved_bytes() const {
  size_t total = 0;
  for (const Buffer& block : blocks_) total += block.size();
  return total;
}

}  // namespace hyscale
