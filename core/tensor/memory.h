#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "core/tensor/tensor.h"

namespace hyscale {

/// Owned, 64-byte aligned host memory.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t bytes);              // zero-filled
  static Buffer uninitialised(size_t bytes);  // pages that are never touched cost nothing
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
  OwnedTensor(DType dtype, const Shape& shape);
  const Tensor& tensor() const { return tensor_; }
  operator const Tensor&() const { return tensor_; }

 private:
  Buffer buffer_;
  Tensor tensor_;
};

/// How far apart the rows of a [.., width] matrix are best laid: `width`, or a cache line more where rows would lie a
/// round number of KiB apart. Products that walk down the columns of such a matrix find a column in few sets of the
/// cache, at half the speed (f32, width 512).
int64_t row_stride(DType dtype, int64_t width);

/// Memory for one training step, handed out front to back and taken back as a whole: a step allocates nothing.
/// Activations saved for backward stay until `release(mark)`; scratch lives in a Scope.
///
///     Arena::Mark start = arena.mark();           // micro-step begins
///     Tensor h = arena.tensor(DType::f32, {tokens, d});
///     { Arena::Scope scope(arena); … scratch … }   // given back here
///     arena.release(start);
///
/// Grows on demand (a new block); handed-out memory never moves. When all of it is given back, several blocks become
/// one of the size that was needed. Content is undefined unless `zeroed`.
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

  Tensor tensor(DType dtype, const Shape& shape);
  Tensor zeroed(DType dtype, const Shape& shape);
  /// [rows, width], the rows row_stride apart.
  Tensor matrix(DType dtype, int64_t rows, int64_t width);
  Mark mark() const { return now_; }
  void release(Mark mark);
  size_t reserved_bytes() const;

 private:
  struct Block {
    Buffer memory;
    size_t filled = 0;  // when the next block was begun
  };
  std::vector<Block> blocks_;
  Mark now_;
  size_t peak_ = 0;  // bytes in use at once
};

}  // namespace hyscale
