#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace hyscale::data {

/// The ids of words seen lately. Each word has one place, where a newer one replaces it: memory is bounded, and nothing
/// is allocated after the first word. Words beyond 31 bytes or 7 ids are not kept. For one thread at a time.
class WordCache {
 public:
  /// The ids of `word`, or an empty span when they are not known (or the word is empty).
  std::span<const int32_t> find(std::string_view word) const {
    if (word.empty() || word.size() > kBytes || slots_.empty()) return {};
    const Slot& slot = slots_[place(word)];
    if (slot.bytes != word.size() || std::memcmp(slot.word.data(), word.data(), word.size()) != 0) return {};
    return {slot.ids.data(), slot.count};
  }
  void store(std::string_view word, std::span<const int32_t> ids) {
    if (word.empty() || word.size() > kBytes || ids.empty() || ids.size() > kIds) return;
    if (slots_.empty()) slots_.resize(size_t{1} << kLogSlots);
    Slot& slot = slots_[place(word)];
    slot.bytes = static_cast<uint8_t>(word.size());
    slot.count = static_cast<uint8_t>(ids.size());
    std::memcpy(slot.word.data(), word.data(), word.size());
    std::memcpy(slot.ids.data(), ids.data(), ids.size_bytes());
  }

 private:
  static constexpr size_t kBytes = 31, kIds = 7;
  static constexpr int kLogSlots = 16;  // 4 MiB
  struct alignas(64) Slot {             // one cache line
    std::array<int32_t, kIds> ids{};
    uint8_t count = 0, bytes = 0;
    std::array<char, kBytes> word{};
  };
  static_assert(sizeof(Slot) == 64);

  static size_t place(std::string_view word) {
    uint64_t hash = word.size();
    size_t at = 0;
    for (uint64_t part = 0; at + sizeof part <= word.size(); at += sizeof part) {
      std::memcpy(&part, word.data() + at, sizeof part);
      hash = mix(hash ^ part);
    }
    uint64_t rest = 0;
    std::memcpy(&rest, word.data() + at, word.size() - at);
    return mix(hash ^ rest) >> (64 - kLogSlots);
  }
  static uint64_t mix(uint64_t x) {
    x *= 0x9E3779B97F4A7C15u;
    return (x ^ (x >> 32)) * 0xD6E8FEB86659FD93u;
  }

  std::vector<Slot> slots_;
};

}  // namespace hyscale::data
