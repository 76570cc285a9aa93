#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hyscale::data {

/// Deals sequences to several corpora so that after any number of them each corpus's count is within one of its share:
/// the chairman assignment of R. Tijdeman (Discrete Mathematics 32, 1980), exact in whole numbers. A function of the
/// weights alone. Not to be asked by several threads at once.
class Interleave {
 public:
  /// Weights > 0 that add up to about 1; they count with 12 decimals.
  explicit Interleave(std::span<const double> weights);

  struct Turn {
    size_t corpus = 0;
    int64_t earlier = 0;  // how many of the sequences before came from the same corpus
  };
  /// Whose turn sequence `index` (from 0) is. Fast when indices ascend.
  Turn at(int64_t index) const;
  /// How many of the first `count` sequences each corpus has given.
  std::vector<int64_t> taken(int64_t count) const;

 private:
  struct State {
    std::vector<int64_t> taken, credit;  // credit: what a corpus is owed, in units_ summed
    int64_t next = 0;                    // index of the sequence that is dealt next
  };
  void seek(int64_t index) const;
  size_t advance(State& state) const;

  std::vector<int64_t> units_;  // weights
  int64_t total_ = 0;
  mutable std::vector<State> marks_;  // after every kMark sequences, as far as anybody asked
  mutable State now_;
};

}  // namespace hyscale::data
