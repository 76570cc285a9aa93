#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "core/tensor/tensor.h"

namespace hyscale {

/// Owned, 64-byte aligned, zero-filled host memory.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t bytes);
  void* data() const { return memory_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(void* p) const;
  };
  std::unique_ptr<void, Free> memory_;
  size_t size_ = 0;
};

/// An owned tensor; converts to the window on itself.
class OwnedTensor {
 public:
  OwnedTensor() = default;
  OwnedTensor(DType dtype, const std::vector<int64_t>& shape);
  const Tensor& tensor() const { return tensor_; }
  operator const Tensor&() const { return tensor_; }

 private:
  Buffer buffer_;
  Tensor tensor_;
};

/// Memory for one training step, handed out front to back and taken back as a whole: a step allocates nothing.
/// Activations saved for backward stay until `release(mark)`; scratch lives in a Scope.
///
///     Arena::Mark start = arena.mark();           // micro-step begins
///     Tensor h = arena.tensor(DType::f32, {tokens, d});
///     { Arena::Scope scope(arena); … scratch … }   // given back here
///     arena.release(start);
///
/// Grows on demand (a new block) until the first steps have shown the peak; handed-out memory never moves.
/// Content is undefined unless `zeroed`.
class Arena {
 public:
  struct Mark {
    size_t block = 0;
    size_t used = 0;
  };
  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
    ~Scope() { arena_.release(mark_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena& arena_;
    Mark mark_;
  };

  Tensor tensor(DType dtype, const std::vector<int64_t>& shape);
  Tensor zeroed(DType dtype, const std::vector<int64_t>& shape);
  Mark mark() const { return now_; }
  void release(Mark mark) { now_ = mark; }
  size_t reserved_bytes() const;

 private:
  std::vector<Buffer> blocks_;
  Mark now_;
};

}  // namespace hyscale
