#pragma once

#include "core/kernels/small_product.h"

namespace hyscale::kernels {

/// Decays inside one chunk of one head, from a_t = dt_t · A ≤ 0. Every exponent is a sum of the a's themselves, never a
/// difference of running sums: it cannot be positive and loses nothing when some a are large. Tiles are kLanes wide:
///   L(i, j) = exp(Σ a over j+1 … i) = row[i] · column(I)[j] for j in a tile before i's tile I, and diagonal(i)[j -
///   I·tile] inside it.
template <class T>
class ChunkDecay {
 public:
  static constexpr int64_t kTile = kLanes<T>;

  ChunkDecay(Arena& arena, int64_t chunk);
  /// dt of the chunk's `count` tokens; a = -exp(a_log).
  void set(const T* dt, T a, int64_t count);
  /// from_start, to_end and whole alone: what the walks over chunk states need.
  void set_ends(const T* dt, T a, int64_t count);

  const T* from_start() const { return from_start_; }  // [i] exp(Σ a over 0 … i)
  const T* to_end() const { return to_end_; }          // [j] exp(Σ a over j+1 … last)
  T whole() const { return whole_; }                   // exp(Σ a over the chunk)
  T row(int64_t i) const { return row_[i]; }
  const T* column(int64_t tile) const { return column_ + tile * padded_; }
  Vec<T> diagonal(int64_t i) const { return load(diagonal_ + i * kTile); }  // 0 above the diagonal

 private:
  void sum_tiles(const T* dt, T a, int64_t count);

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
void ChunkDecay<T>::sum_tiles(const T* dt, T a, int64_t count) {
  tiles_ = (count + kTile - 1) / kTile;
  for (int64_t t = 0; t < tiles_ * kTile; ++t) a_[t] = t < count ? std::min(dt[t] * a, T(0)) : T(0);
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
void ChunkDecay<T>::set_ends(const T* dt, T a, int64_t count) {
  sum_tiles(dt, a, count);
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
void ChunkDecay<T>::set(const T* dt, T a, int64_t count) {
  set_ends(dt, a, count);
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
