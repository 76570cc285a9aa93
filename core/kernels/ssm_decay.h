#pragma once

#include "core/kernels/documents.h"
#include "core/kernels/small_product.h"

namespace hyscale::kernels {

/// Decays inside one chunk of one head, from a_t = dt_t · A ≤ 0. Every exponent is a sum of the a's themselves, never a
/// difference of running sums: it cannot be positive and loses nothing when some a are large. Tiles are kLanes wide:
///   L(i, j) = exp(Σ a over j+1 … i) = row[i] · column(I)[j] for j in a tile before i's tile I, and diagonal(i)[j -
///   I·tile] inside it.
/// A document that begins inside the chunk cuts it off from what lies before: a_t = kReset at its first token, so every
/// decay across it is exactly 0, and with the decay also every gradient of that a_t.
template <class T>
class ChunkDecay {
 public:
  static constexpr int64_t kTile = kLanes<T>;

  ChunkDecay(Arena& arena, int64_t chunk);
  /// The tokens of a chunk: `first` and `count` of them within their sequence.
  struct Tokens {
    int64_t first = 0, count = 0;
    DocumentBegins documents;
  };
  /// dt of the chunk's tokens; a = -exp(a_log).
  void set(const T* dt, T a, const Tokens& tokens);
  /// from_start, to_end and whole alone: what the walks over chunk states need.
  void set_ends(const T* dt, T a, const Tokens& tokens);

  const T* from_start() const { return from_start_; }  // [i] exp(Σ a over 0 … i)
  const T* to_end() const { return to_end_; }          // [j] exp(Σ a over j+1 … last)
  T whole() const { return whole_; }                   // exp(Σ a over the chunk)
  T row(int64_t i) const { return row_[i]; }
  const T* column(int64_t tile) const { return column_ + tile * padded_; }
  Vec<T> diagonal(int64_t i) const { return load(diagonal_ + i * kTile); }  // 0 above the diagonal

 private:
  // A sum of so many as a chunk has tokens is still a number.
  static constexpr T kReset = T(-1e30);

  void sum_tiles(const T* dt, T a, const Tokens& tokens);

  int64_t padded_;  // chunk rounded up to whole tiles
  int64_t tiles_ = 0;
  T whole_ = 1;
  T *a_, *prefix_, *suffix_, *total_;  // a; sums from the tile's start, after the token to the tile's end, of the tile
  T *from_start_, *to_end_, *row_, *column_, *diagonal_;
};

/// 0, 1, 2, …
template <class T>
inline Vec<T> lane_numbers() {
  Vec<T> v{};
  for (int64_t i = 0; i < kLanes<T>; ++i) v[i] = static_cast<T>(i);
  return v;
}

template <class T>
ChunkDecay<T>::ChunkDecay(Arena& arena, int64_t chunk) : padded_(round_up(chunk, kTile)) {
  for (T** one : {&a_, &prefix_, &suffix_, &total_, &from_start_, &to_end_, &row_}) *one = take<T>(arena, padded_);
  column_ = take<T>(arena, padded_ / kTile * padded_);
  diagonal_ = take<T>(arena, padded_ * kTile);
}

template <class T>
void ChunkDecay<T>::sum_tiles(const T* dt, T a, const Tokens& tokens) {
  const int64_t count = tokens.count;
  tiles_ = (count + kTile - 1) / kTile;
  for (int64_t t = 0; t < tiles_ * kTile; ++t) a_[t] = t < count ? std::min(dt[t] * a, T(0)) : T(0);
  if (!tokens.documents.one_document())
    for (int64_t t = 0; t < count; ++t)
      if (tokens.documents.starts(tokens.first + t)) a_[t] = kReset;
  for (int64_t tile = 0; tile < tiles_; ++tile) {
    const int64_t begin = tile * kTile, end = begin + kTile;
    T sum = 0;
    for (int64_t t = begin; t < end; ++t) prefix_[t] = sum += a_[t];
    total_[tile] = sum;
    sum = 0;
    for (int64_t t = end; t-- > begin; sum += a_[t]) suffix_[t] = sum;
  }
}

template <class T>
void ChunkDecay<T>::set_ends(const T* dt, T a, const Tokens& tokens) {
  sum_tiles(dt, a, tokens);
  T before = 0, after = 0;
  for (int64_t tile = 0; tile < tiles_; ++tile) {
    const int64_t t = tile * kTile;
    store(from_start_ + t, exp(load(prefix_ + t) + before));
    before += total_[tile];
  }
  for (int64_t tile = tiles_; tile-- > 0;) {
    const int64_t t = tile * kTile;
    store(to_end_ + t, exp(load(suffix_ + t) + after));
    after += total_[tile];
  }
  whole_ = exp(broadcast(before))[0];
}

template <class T>
void ChunkDecay<T>::set(const T* dt, T a, const Tokens& tokens) {
  set_ends(dt, a, tokens);
  const Vec<T> lane = lane_numbers<T>();
  for (int64_t tile = 0; tile < tiles_; ++tile) {
    const int64_t begin = tile * kTile;
    store(row_ + begin, exp(load(prefix_ + begin)));
    T between = 0;
    for (int64_t earlier = tile; earlier-- > 0; between += total_[earlier])
      store(column_ + tile * padded_ + earlier * kTile, exp(load(suffix_ + earlier * kTile) + between));
    Vec<T> sum{};
    for (int64_t i = 0; i < kTile; ++i) {
      sum = lane < static_cast<T>(i) ? sum + a_[begin + i] : Vec<T>{};
      store(diagonal_ + (begin + i) * kTile, lane > static_cast<T>(i) ? Vec<T>{} : exp(sum));
    }
  }
}

}  // namespace hyscale::kernels
