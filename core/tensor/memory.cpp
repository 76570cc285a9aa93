#include "core/tensor/memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace hyscale {

static constexpr size_t kCacheLine = 64;
static constexpr size_t kSmallestBlock = size_t{1} << 20;

static size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

namespace {

class HostMemory final : public MemorySource {
 public:
  Device device() const override { return Device::cpu; }
  size_t alignment() const override { return kCacheLine; }
  void* take(size_t bytes) override {
    void* const memory = std::aligned_alloc(kCacheLine, round_up(bytes, kCacheLine));
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  void give_back(void* memory) noexcept override { std::free(memory); }
  void zero(void* memory, size_t bytes) override { std::memset(memory, 0, bytes); }
};

}  // namespace

MemorySource& host_memory() {
  static HostMemory memory;
  return memory;
}

Buffer Buffer::uninitialised(size_t bytes, MemorySource& source) {
  Buffer buffer;
  if (bytes == 0) return buffer;
  buffer.size_ = bytes;
  buffer.memory_ = {source.take(bytes), GiveBack{&source}};
  return buffer;
}

Buffer::Buffer(size_t bytes, MemorySource& source) : Buffer(uninitialised(bytes, source)) {
  if (bytes > 0) source.zero(data(), bytes);
}

static size_t bytes_of(DType dtype, const Shape& shape) {
  size_t n = size_of(dtype);
  for (const int64_t extent : shape) n *= static_cast<size_t>(extent);
  return n;
}

OwnedTensor::OwnedTensor(DType dtype, const Shape& shape, MemorySource& source)
    : buffer_(std::max<size_t>(bytes_of(dtype, shape), 1), source),
      tensor_(buffer_.data(), dtype, source.device(), shape) {}

int64_t row_stride(DType dtype, int64_t width, Device device) {
  const auto size = static_cast<int64_t>(size_of(dtype));
  if (device == Device::cuda) {
    const int64_t unit = std::max<int64_t>(16 / size, 1);
    return (width + unit - 1) / unit * unit;
  }
  constexpr int64_t kAliasing = 1024;  // bytes between rows that share cache sets
  return width * size % kAliasing == 0 ? width + static_cast<int64_t>(kCacheLine) / size : width;
}

Tensor Arena::tensor(DType dtype, const Shape& shape) {
  const size_t bytes = round_up(std::max<size_t>(bytes_of(dtype, shape), 1), source_->alignment());
  return Tensor(take(bytes), dtype, source_->device(), shape);
}

void* Arena::take(size_t bytes) {
  if (span_ != nullptr) {
    if (now_.used + bytes > span_->size()) span_->grow(now_.used + bytes);
    void* const data = static_cast<std::byte*>(span_->data()) + now_.used;
    now_.used += bytes;
    highest_ = std::max(highest_, now_.used);
    peak_ = std::max(peak_, now_.used);
    return data;
  }
  for (; now_.block < blocks_.size() && now_.used + bytes > blocks_[now_.block].memory.size(); ++now_.block) {
    blocks_[now_.block].filled = now_.used;
    now_.used = 0;
  }
  if (now_.block == blocks_.size())
    blocks_.push_back({Buffer::uninitialised(std::max({bytes, kSmallestBlock, reserved_bytes()}), *source_)});
  void* const data = static_cast<std::byte*>(blocks_[now_.block].memory.data()) + now_.used;
  now_.used += bytes;
  size_t in_use = now_.used;
  for (size_t b = 0; b < now_.block; ++b) in_use += blocks_[b].filled;
  peak_ = std::max(peak_, in_use);
  return data;
}

void Arena::release(Mark mark) {
  now_ = mark;
  if (mark.block > 0 || mark.used > 0 || blocks_.size() < 2) return;
  blocks_.clear();  // first: the old and the new need not fit side by side
  ++generation_;
  blocks_.push_back({Buffer::uninitialised(peak_, *source_)});
}

Tensor Arena::zeroed(DType dtype, const Shape& shape) {
  Tensor t = tensor(dtype, shape);
  source_->zero(t.data(), bytes_of(dtype, shape));
  return t;
}

Tensor Arena::matrix(DType dtype, int64_t rows, int64_t width) {
  return tensor(dtype, {rows, row_stride(dtype, width, source_->device())}).slice(1, 0, width);
}

size_t Arena::reserved_bytes() const {
  size_t total = span_ != nullptr ? span_->size() : 0;
  for (const Block& block : blocks_) total += block.memory.size();
  return total;
}

}  // namespace hyscale
