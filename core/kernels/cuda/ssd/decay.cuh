#pragma once

#include "core/kernels/cuda/ssd/tiles.cuh"

// Decays inside a chunk of 128 tokens from sums of log decays by tiles of 16, as on the CPU (ssm_decay.h): every
// exponent is a sum of numbers that are not positive.
namespace hyscale::kernels::cuda::ssd {

constexpr int kChunk = 128, kTile = 16, kTilesOfChunk = 8;
constexpr int kThreads = 256;  // a warp for each tile

/// What the warps tell each other of one head.
struct TileDecays {
  float row[kChunk];     // exp of the sum from the tile's start through the token
  float column[kChunk];  // exp of the sum behind the token to the tile's end
  float dt[kChunk];
  float total[kTilesOfChunk];  // log2: the tile's whole sum

  /// exp of the sum over the tiles strictly between two; -1 and 8 stand for the chunk's ends.
  __device__ float between(int one, int other) const {
    const int first = min(one, other), last = max(one, other);
    float sum = 0;
#pragma unroll
    for (int k = 0; k < kTilesOfChunk; ++k)
      if (k > first && k < last) sum += total[k];
    return exp2_of(sum);
  }
};

/// By the warp of `tile`; lanes l and l + 16 hold token l's values. inside[i·16 + j]: exp of the sum behind j through
/// i, 0 for i < j.
inline __device__ void build_decays(TileDecays& to, float* inside, int tile, float dt, float log_decay) {
  const int lane = Lane().lane, t = lane & 15;
  const bool column = lane < kTile;
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kTile; ++i) {
    const float next = __shfl_sync(kAll, log_decay, i);
    if (column ? i > t : i <= t) sum += next;
    if (column) inside[i * kTile + t] = i < t ? 0 : exp2_of(sum);
  }
  const int token = tile * kTile + t;
  if (column) {
    to.column[token] = exp2_of(sum);
    to.dt[token] = dt;
  } else {
    to.row[token] = exp2_of(sum);
  }
  if (lane == 31) to.total[tile] = sum;
  __syncwarp();
}

/// L dt for the block of 16 x 16 in tile column `j` of the warp's own rows.
inline __device__ void decay_factors(Block& f, const TileDecays& decays, const float* inside, int own, int j,
                                     float upper, float lower) {
  const Lane me;
#pragma unroll
  for (int u = 0; u < 2; ++u) {
    const int column = u * 8 + me.q * 2;
    const float2 dt = *reinterpret_cast<const float2*>(decays.dt + j * kTile + column);
    if (j == own) {
      const float2 a = *reinterpret_cast<const float2*>(inside + me.g * kTile + column);
      const float2 b = *reinterpret_cast<const float2*>(inside + (me.g + 8) * kTile + column);
      f[4 * u] = a.x * dt.x, f[4 * u + 1] = a.y * dt.y, f[4 * u + 2] = b.x * dt.x, f[4 * u + 3] = b.y * dt.y;
    } else {
      const float2 c = *reinterpret_cast<const float2*>(decays.column + j * kTile + column);
      const float first = c.x * dt.x, second = c.y * dt.y;
      f[4 * u] = upper * first, f[4 * u + 1] = upper * second;
      f[4 * u + 2] = lower * first, f[4 * u + 3] = lower * second;
    }
  }
}

/// A chunk's work in order: sequence, chunk, group, part of the group's heads.
struct Task {
  int64_t sequence;
  int chunk, group, first_head, heads;
  __device__ Task(const Sizes& s, int64_t index, int splits) {
    heads = s.heads_of_group() / splits;
    const int split = static_cast<int>(index % splits);
    index /= splits;
    group = static_cast<int>(index % s.groups);
    index /= s.groups;
    chunk = static_cast<int>(index % s.chunks);
    sequence = index / s.chunks;
    first_head = group * s.heads_of_group() + split * heads;
  }
};

}  // namespace hyscale::kernels::cuda::ssd
