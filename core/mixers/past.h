#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "core/tensor/device_context.h"
#include "core/tensor/memory.h"

namespace hyscale::model {

/// What a model's layers keep of the tokens of some sequences, so that it can go on behind them: keys and values,
/// inputs of convolutions, states of scans. The sequences need not be equally long. Owns the memory; the model that
/// fills it may serve any number of them, one after the other. A sequence's memory is taken on first use, for
/// `capacity` tokens or, where a window sees fewer, for those.
class Past {
 public:
  Past(int64_t sequences, int64_t capacity, DeviceContext& context = host_context());

  int64_t sequences() const { return static_cast<int64_t>(lengths_.size()); }
  int64_t capacity() const { return capacity_; }
  /// Tokens of a sequence so far.
  int64_t length(int64_t sequence) const { return lengths_[static_cast<size_t>(sequence)]; }
  /// Of all sequences, i32 [sequences], where the model computes.
  const Tensor& lengths() const { return lengths_there_; }
  /// Bytes that layers hold here.
  size_t bytes() const;

  /// What `owner` keeps under `part`: [sequences, shape…] of `dtype`, zero at first.
  Tensor kept(const void* owner, int part, DType dtype, const Shape& shape);
  /// At commit(), writes `rows` [count, tokens, heads, dim] behind what `cache` [count, heads, slots, dim], of the
  /// sequences from `first` on, holds (kernels/cached_attention.h). Until then everybody still sees the cache as it
  /// was.
  void append_later(const Tensor& cache, const Tensor& rows, int64_t sinks, int64_t first);
  /// Does so, and lengthens sequences [first, first + count) by `tokens`.
  void commit(int64_t first, int64_t count, int64_t tokens, const Exec& exec);
  /// Empties all sequences.
  void clear();

 private:
  struct Append {
    Tensor cache, rows;
    int64_t sinks, first;
  };
  void send_lengths();

  DeviceContext& context_;
  int64_t capacity_;
  std::vector<int64_t> lengths_;
  OwnedTensor lengths_there_;
  std::map<std::pair<const void*, int>, OwnedTensor> kept_;
  std::vector<Append> appends_;
};

}  // namespace hyscale::model
