#pragma once

#include <cstdint>
#include <span>

namespace hyscale {

/// The only way `core` talks to other ranks. Every call is collective: all ranks of the group make the same calls in
/// the same order. Sums have a fixed order, so equal inputs give equal bits on every rank and in every run. Buffers may
/// be reused when a call returns. Throws Error naming rank and operation when a peer is gone.
class Collective {
 public:
  virtual ~Collective() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual void barrier() = 0;
  virtual void broadcast(std::span<std::byte> bytes, int root) = 0;
  virtual void all_reduce_sum(std::span<float> values) = 0;
  virtual void all_reduce_sum(std::span<double> values) = 0;
  virtual void all_reduce_max(std::span<int64_t> values) = 0;
  virtual void all_reduce_max(std::span<float> values) = 0;
  virtual void all_reduce_max(std::span<double> values) = 0;
  /// `values` holds size() equal shards; on return shard rank() holds the sum over ranks, the others are undefined.
  virtual void reduce_scatter_sum(std::span<float> values) = 0;
  /// The same for unequal shards: that of rank r ends before values[ends[r]], and the next one begins there.
  virtual void reduce_scatter_sum(std::span<float> values, std::span<const size_t> ends) = 0;
  /// `values` holds size() equal shards; on entry shard rank() is ours, on return all are filled.
  virtual void all_gather(std::span<float> values) = 0;
};

/// The group of one: every operation leaves its argument as it is.
class SelfCollective final : public Collective {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void barrier() override {}
  void broadcast(std::span<std::byte>, int) override {}
  void all_reduce_sum(std::span<float>) override {}
  void all_reduce_sum(std::span<double>) override {}
  void all_reduce_max(std::span<int64_t>) override {}
  void all_reduce_max(std::span<float>) override {}
  void all_reduce_max(std::span<double>) override {}
  void reduce_scatter_sum(std::span<float>) override {}
  void reduce_scatter_sum(std::span<float>, std::span<const size_t>) override {}
  void all_gather(std::span<float>) override {}
};

}  // namespace hyscale
