#pragma once

#include <array>
#include <cstdint>

namespace hyscale::data {

/// SplitMix64's output function (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014):
/// a bijection of 64 bits that mixes well.
constexpr uint64_t mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// A pseudo-random order of 0 … size - 1 that needs no memory: a Feistel network over the next even power of two,
/// walked along its cycle until it lands inside (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
class Permutation {
 public:
  Permutation(int64_t size, uint64_t seed, uint64_t stream) : size_(static_cast<uint64_t>(size)) {
    while ((uint64_t{1} << (2 * half_bits_)) < size_) ++half_bits_;
    uint64_t key = mix64(seed) ^ mix64(~stream);
    for (uint64_t& round : keys_) round = key = mix64(key);
  }
  /// Where `index` (0 … size - 1) goes.
  int64_t operator()(int64_t index) const {
    auto x = static_cast<uint64_t>(index);
    do x = shuffled(x);
    while (x >= size_);
    return static_cast<int64_t>(x);
  }

 private:
  uint64_t shuffled(uint64_t x) const {
    const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
    uint64_t left = x >> half_bits_, right = x & mask;
    for (const uint64_t key : keys_) {
      const uint64_t next = left ^ (mix64(right ^ key) & mask);
      left = right;
      right = next;
    }
    return left << half_bits_ | right;
  }

  uint64_t size_;
  int half_bits_ = 1;
  std::array<uint64_t, 6> keys_{};
};

}  // namespace hyscale::data
