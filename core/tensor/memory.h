#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "core/tensor/tensor.h"

namespace hyscale {

/// Memory that gets longer and stays where it is.
class GrowingMemory {
 public:
  virtual ~GrowingMemory() = default;
  virtual void* data() const = 0;
  virtual size_t size() const = 0;
  /// To at least `bytes`; never shrinks. Throws OutOfMemory.
  virtual void grow(size_t bytes) = 0;
};

/// Where memory of one device comes from. Outlives what it gave.
class MemorySource {
 public:
  virtual ~MemorySource() = default;
  virtual Device device() const = 0;
  virtual size_t alignment() const = 0;
  /// Content is undefined; pages that are never touched cost nothing on the host. Throws OutOfMemory.
  virtual void* take(size_t bytes) = 0;
  virtual void give_back(void* memory) noexcept = 0;
  /// Null where memory cannot grow in place.
  virtual std::unique_ptr<GrowingMemory> growing() { return nullptr; }
  /// Enqueued where the device has a queue.
  virtual void zero(void* memory, size_t bytes) = 0;
};
MemorySource& host_memory();

/// Owned memory.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t bytes, MemorySource& source = host_memory());  // zero-filled
  static Buffer uninitialised(size_t bytes, MemorySource& source = host_memory());
  void* data() const { return memory_.get(); }
  size_t size() const { return size_; }

 private:
  struct GiveBack {
    MemorySource* source;
    void operator()(void* memory) const { source->give_back(memory); }
  };
  std::unique_ptr<void, GiveBack> memory_;
  size_t size_ = 0;
};

/// An owned tensor, zero-filled; converts to the window on itself.
class OwnedTensor {
 public:
  OwnedTensor() = default;
  OwnedTensor(DType dtype, const Shape& shape, MemorySource& source = host_memory());
  const Tensor& tensor() const { return tensor_; }
  operator const Tensor&() const { return tensor_; }

 private:
  Buffer buffer_;
  Tensor tensor_;
};

/// How far apart the rows of a [.., width] matrix are best laid. On the CPU: `width`, or a cache line more where rows
/// would lie a round number of KiB apart. Products that walk down the columns of such a matrix find a column in few
/// sets of the cache, at half the speed (f32, width 512). On a GPU: rows begin at multiples of 16 bytes, what its
/// widest loads and its copy engine take.
int64_t row_stride(DType dtype, int64_t width, Device device = Device::cpu);

/// Memory for one training step, handed out front to back and taken back as a whole: a step allocates nothing.
/// Activations saved for backward stay until `release(mark)`; scratch lives in a Scope.
///
///     Arena::Mark start = arena.mark();           // micro-step begins
///     Tensor h = arena.tensor(DType::f32, {tokens, d});
///     { Arena::Scope scope(arena); … scratch … }   // given back here
///     arena.release(start);
///
/// Grows on demand; handed-out memory never moves. Where memory can grow in place the arena is one piece of it.
/// Elsewhere it takes a new block, and when all of it is given back several blocks become one of the size that was
/// needed. Content is undefined unless `zeroed`.
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

  explicit Arena(MemorySource& source = host_memory()) : source_(&source), span_(source.growing()) {}

  Tensor tensor(DType dtype, const Shape& shape);
  Tensor zeroed(DType dtype, const Shape& shape);
  /// [rows, width], the rows row_stride apart.
  Tensor matrix(DType dtype, int64_t rows, int64_t width);
  Mark mark() const { return now_; }
  void release(Mark mark);
  /// Calls `work`, and hands out nothing again that it used, given back or not, until more is given back than that: for
  /// work that goes on while other work is enqueued. Only where memory grows in place.
  template <class Work>
  void keep_all_of(const Work& work) {
    const size_t highest = std::exchange(highest_, now_.used);
    work();
    now_.used = highest_;
    highest_ = std::max(highest_, highest);
  }
  size_t reserved_bytes() const;
  size_t peak_bytes() const { return peak_; }
  /// Grows when memory moves that was given back: whoever kept addresses of it must forget them.
  int64_t generation() const { return generation_; }

 private:
  struct Block {
    Buffer memory;
    size_t filled = 0;  // when the next block was begun
  };
  void* take(size_t bytes);

  MemorySource* source_;
  std::unique_ptr<GrowingMemory> span_;  // null: blocks
  std::vector<Block> blocks_;
  Mark now_;
  size_t peak_ = 0;     // bytes in use at once
  size_t highest_ = 0;  // likewise, in this block since keep_all_of was called
  int64_t generation_ = 0;
};

}  // namespace hyscale
