#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace hyscale::data {

/// Out of a stream, the items with the smallest keys that together weigh at least `enough`: a sample that does not
/// depend on the order of the stream. Items with equal keys stay together. Memory: what is kept.
template <class T>
class SmallestKeys {
 public:
  explicit SmallestKeys(int64_t enough) : enough_(enough) {}

  /// Such an item would be evicted at once, now and for ever.
  bool beyond(uint64_t key) const { return weight_ >= enough_ && !groups_.empty() && key > groups_.rbegin()->first; }
  /// Calls evicted(T) for each item that turns out not to belong, this one or an earlier one.
  template <class Evicted>
  void add(uint64_t key, int64_t weight, T item, Evicted&& evicted) {
    if (beyond(key)) return evicted(std::move(item));
    Group& group = groups_[key];
    group.items.push_back(std::move(item));
    group.weight += weight;
    weight_ += weight;
    while (weight_ - groups_.rbegin()->second.weight >= enough_) {
      const auto last = std::prev(groups_.end());
      weight_ -= last->second.weight;
      for (T& old : last->second.items) evicted(std::move(old));
      groups_.erase(last);
    }
  }
  /// Everything kept, by ascending key.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (auto& [key, group] : groups_)
      for (T& item : group.items) visit(std::move(item));
  }

 private:
  struct Group {
    int64_t weight = 0;
    std::vector<T> items;
  };
  int64_t enough_, weight_ = 0;
  std::map<uint64_t, Group> groups_;
};

}  // namespace hyscale::data
