#pragma once

#include <cuda_runtime_api.h>
#include <unordered_map>

#include "core/tensor/device_context.h"
#include "core/tensor/memory.h"

namespace hyscale {

class CudaContext;

/// The memory of the GPU at work, with a count of what was taken of it. Clearing is enqueued on the context's stream.
class CudaMemory final : public MemorySource {
 public:
  explicit CudaMemory(const CudaContext& context) : context_(context) {}

  Device device() const override { return Device::cuda; }
  size_t alignment() const override { return 256; }
  void* take(size_t bytes) override;
  /// Waits for what still uses the memory.
  void give_back(void* memory) noexcept override;
  /// Addresses for all of the GPU's memory, behind which pages are put as they are needed.
  std::unique_ptr<GrowingMemory> growing() override;
  void zero(void* memory, size_t bytes) override;
  MemoryUse use() const;

 private:
  class Span;
  void count(size_t bytes);
  [[noreturn]] void refuse(size_t bytes) const;

  const CudaContext& context_;
  std::unordered_map<void*, size_t> sizes_;
  size_t taken_ = 0, peak_ = 0;
};

}  // namespace hyscale
