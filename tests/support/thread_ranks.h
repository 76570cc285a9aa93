#pragma once

#include <algorithm>
#include <barrier>
#include <functional>
#include <thread>
#include <vector>

#include "core/tensor/tensor_group.h"

namespace hyscale::tests {

/// Ranks that are threads of one process: each adds up, in the order of the ranks, what all of them hold up.
class ThreadRanks {
 public:
  explicit ThreadRanks(int size) : size_(size), meeting_(size), held_up_(static_cast<size_t>(size)) {}

  /// Calls work(rank, group) on a thread for each rank, and waits for all.
  void run(const std::function<void(int, TensorGroup&)>& work) {
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < size_; ++rank)
      threads.emplace_back([this, rank, &work] {
        Rank mine(*this, rank);
        HostTensorGroup group(mine);
        work(rank, group);
      });
  }

 private:
  class Rank final : public Collective {
   public:
    Rank(ThreadRanks& all, int rank) : all_(all), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return all_.size_; }
    void barrier() override { all_.meeting_.arrive_and_wait(); }
    void broadcast(std::span<std::byte> bytes, int root) override {
      combine(bytes, [&](auto& result, const auto& other, size_t r) {
        if (r == static_cast<size_t>(root)) result = other;
      });
    }
    void all_reduce_sum(std::span<float> values) override { sum(values); }
    void all_reduce_sum(std::span<double> values) override { sum(values); }
    void all_reduce_max(std::span<int64_t> values) override { max(values); }
    void all_reduce_max(std::span<float> values) override { max(values); }
    void all_reduce_max(std::span<double> values) override { max(values); }
    void reduce_scatter_sum(std::span<float> values) override { sum(values); }
    void reduce_scatter_sum(std::span<float> values, std::span<const size_t>) override { sum(values); }
    void all_gather(std::span<float> values) override {
      const size_t shard = values.size() / all_.held_up_.size();
      size_t at = 0;
      combine(values, [&](auto& result, const auto& other, size_t r) {
        if (r == 0) at = static_cast<size_t>(&other - static_cast<const float*>(all_.held_up_[0])) / shard;
        if (r == at) result = other;
      });
    }

   private:
    template <class T>
    void sum(std::span<T> values) {
      combine(values, [](T& result, const T& other, size_t r) { result = r == 0 ? other : result + other; });
    }
    template <class T>
    void max(std::span<T> values) {
      combine(values, [](T& result, const T& other, size_t r) { result = r == 0 ? other : std::max(result, other); });
    }
    /// fold(result, entry of rank r, r) for each entry, the ranks in their order.
    template <class T, class F>
    void combine(std::span<T> values, F&& fold) {
      all_.held_up_[static_cast<size_t>(rank_)] = values.data();
      barrier();
      std::vector<T> results(values.size());
      for (size_t i = 0; i < values.size(); ++i)
        for (size_t r = 0; r < all_.held_up_.size(); ++r)
          fold(results[i], static_cast<const T*>(all_.held_up_[r])[i], r);
      barrier();
      std::copy(results.begin(), results.end(), values.begin());
    }
    ThreadRanks& all_;
    int rank_;
  };

  int size_;
  std::barrier<> meeting_;
  std::vector<const void*> held_up_;
};

}  // namespace hyscale::tests
