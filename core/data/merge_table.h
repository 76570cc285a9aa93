#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hyscale::data {

/// Byte-pair encoding's merges: which two neighbouring tokens become which one. Of all pairs in a word the one of the
/// lowest rank is merged first, the leftmost of equals, until none is left.
class MergeTable {
 public:
  struct Merge {
    int32_t rank = -1, token = -1;
  };
  /// Room for so many pairs.
  explicit MergeTable(size_t pairs);
  /// A pair that is there already gets the new rank.
  void set(int32_t left, int32_t right, Merge merge);
  /// The merge of a pair, or null.
  const Merge* find(int32_t left, int32_t right) const {
    const uint64_t key = key_of(left, right);
    for (size_t slot = hash(key) >> shift_;; slot = (slot + 1) & mask_) {
      if (slots_[slot].key == key) return &slots_[slot].merge;
      if (slots_[slot].key == kFree) return nullptr;
    }
  }
  size_t size() const { return size_; }

  /// What a merge needs beside the tokens; one per thread.
  struct Scratch {
    struct Pair {
      int32_t rank, position, token;
    };
    std::vector<Pair> heap{};
    std::vector<int32_t> next{}, previous{};
  };
  /// Merges the tokens of one word in place. Time O(n log n), whatever the word.
  void apply(std::vector<int32_t>& tokens, Scratch& scratch) const;

 private:
  struct Slot {
    uint64_t key = kFree;
    Merge merge{};
  };
  static constexpr uint64_t kFree = ~uint64_t{0};
  static uint64_t key_of(int32_t left, int32_t right) {
    return (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32) | static_cast<uint32_t>(right);
  }
  static uint64_t hash(uint64_t key) { return (key ^ (key >> 29)) * 0x9E3779B97F4A7C15u; }
  void apply_short(std::vector<int32_t>& tokens) const;
  void apply_long(std::vector<int32_t>& tokens, Scratch& scratch) const;

  std::vector<Slot> slots_;
  size_t mask_ = 0, size_ = 0;
  int shift_ = 0;
};

}  // namespace hyscale::data
