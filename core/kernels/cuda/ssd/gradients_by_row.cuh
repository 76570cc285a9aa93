#pragma once

#include "core/kernels/cuda/ssd/gradients.cuh"

namespace hyscale::kernels::cuda::ssd {

/// Sums over a block's rows of its four columns in a lane; a lane with bit 2 clear ends with one column's sum.
inline __device__ float sum_of_columns(const float (&v)[4]) {
  const int lane = Lane().lane;
  const bool right = (lane & 16) != 0, odd = (lane & 8) != 0;
  float first = right ? v[2] : v[0], second = right ? v[3] : v[1];
  first += __shfl_xor_sync(kAll, right ? v[0] : v[2], 16);
  second += __shfl_xor_sync(kAll, right ? v[1] : v[3], 16);
  const float sum = (odd ? second : first) + __shfl_xor_sync(kAll, odd ? first : second, 8);
  return sum + __shfl_xor_sync(kAll, sum, 4);
}
/// Which column of the block that is.
inline __device__ int column_of_sum() {
  const Lane me;
  return ((me.lane & 16) != 0 ? 8 : 0) + me.q * 2 + ((me.lane & 8) != 0 ? 1 : 0);
}

/// Of one row's four entries in a lane, strictly below the diagonal: the sums over the columns before each, where the
/// row reaches; row and columns in a tile.
inline __device__ void sums_before(float (&v)[4], int row) {
  const Lane me;
  const int columns[4] = {me.q * 2, me.q * 2 + 1, me.q * 2 + 8, me.q * 2 + 9};
#pragma unroll
  for (int i = 0; i < 4; ++i) v[i] = columns[i] < row ? v[i] : 0;
  float halves[2];
#pragma unroll
  for (int u = 0; u < 2; ++u) {
    const float pair = v[2 * u] + v[2 * u + 1];
    float sum = pair;
    const float one = __shfl_up_sync(kAll, sum, 1, 4);
    if (me.q >= 1) sum += one;
    const float two = __shfl_up_sync(kAll, sum, 2, 4);
    if (me.q >= 2) sum += two;
    const float before = __shfl_up_sync(kAll, sum, 1, 4);
    v[2 * u + 1] = v[2 * u];
    v[2 * u] = me.q > 0 ? before : 0;
    v[2 * u + 1] += v[2 * u];
    halves[u] = __shfl_sync(kAll, sum, 3, 4);
  }
  v[2] += halves[0], v[3] += halves[0];
#pragma unroll
  for (int i = 0; i < 4; ++i) v[i] = columns[i] <= row ? v[i] : 0;
}

/// The gradient of the warp's tokens' log decays inside the chunk, from sums over rows of the tile (what comes from
/// earlier tiles) and, in sums[later tile][token], over its columns; sums[own][token] is what stays inside the tile.
inline __device__ float decay_gradient(const float* sums, int own, float upper, float lower) {
  const int lane = Lane().lane, t = lane & 15;
  float columns = 0, across = 0;
  for (int i = own + 1 + (lane >> 4); i < kTilesOfChunk; i += 2) {
    columns += sums[i * kChunk + own * kTile + t];
    for (int j = 0; j < own; ++j) across += sums[i * kChunk + j * kTile + t];
  }
  columns += __shfl_xor_sync(kAll, columns, 16);
#pragma unroll
  for (int step = 16; step > 0; step /= 2) across += __shfl_xor_sync(kAll, across, step);
  const float first = __shfl_sync(kAll, upper, (t & 7) * 4), second = __shfl_sync(kAll, lower, (t & 7) * 4);
  float rows = t < 8 ? first : second;
#pragma unroll
  for (int step = 1; step < kTile; step *= 2) {
    const float after = __shfl_down_sync(kAll, rows, step, kTile), before = __shfl_up_sync(kAll, columns, step, kTile);
    if (t + step < kTile) rows += after;
    if (t >= step) columns += before;
  }
  const float before = __shfl_up_sync(kAll, columns, 1, kTile);
  return sums[own * kChunk + own * kTile + t] + across + rows + (t > 0 ? before : 0);
}

template <int P, int N>
struct ByRow {
  using Layout = GradientShape<P, N>;
  const Place<P, N>& at;
  Block dscores[kTilesOfChunk];
  Block dc[N / 16];

  __device__ float* column_sums() const { return reinterpret_cast<float*>(at.memory + Layout::kColumnSums); }
  __device__ int first_score() const { return at.own * (at.own + 1) / 2; }

  __device__ void scores() {
    const auto c_rows = LaneOf<N>::down(at.stay_tile());
    const auto b_columns = LaneOf<N>::across(at.passing_tile());
    for (int j = 0; j <= at.own; ++j) {
      Block acc[1];
      clear(acc);
#pragma unroll
      for (int k = 0; k < N / 16; ++k) {
        Packed a, b;
        load_matrices(a, c_rows.block(at.own, k));
        load_matrices(b, b_columns.block(j, k));
        multiply(acc[0], a, b);
      }
      keep(at.score(first_score() + j), acc[0]);
    }
  }

  /// dscores += G ∘ L dt, and with the scores the gradient of the decays between tokens.
  __device__ void inside_chunk(int i, const Packed (&dy)[P / 16], const TileDecays& decay, float to_other,
                               float& upper_sum, float& lower_sum) {
    const Lane me;
    const auto x_columns = LaneOf<P>::across(at.tokens_tile(i));
    const float upper = decay.row[at.own * kTile + me.g], lower = decay.row[at.own * kTile + me.g + 8];
    float skip = 0;
    upper_sum = lower_sum = 0;
#pragma unroll
    for (int j = 0; j < kTilesOfChunk; ++j)
      if (j <= at.own) {
        Block g[2];
        clear(g);
#pragma unroll
        for (int k = 0; k < P / 16; ++k) {
          Packed b;
          load_matrices(b, x_columns.block(j, k));
          multiply(g[k & 1], dy[k], b);
        }
#pragma unroll
        for (int e = 0; e < 8; ++e) g[0][e] += g[1][e];
        if (j == at.own) {  // the diagonal's entries
          if (me.g == 2 * me.q) skip = g[0][0] + g[0][6];
          if (me.g == 2 * me.q + 1) skip = g[0][1] + g[0][7];
        }
        const float between = __shfl_sync(kAll, to_other, j);
        Block f, z;
        decay_factors(f, decay, at.inside(), at.own, j, upper * between, lower * between);
        split(z, at.score(first_score() + j));
#pragma unroll
        for (int e = 0; e < 8; ++e) {
          const float dscore = g[0][e] * f[e];
          dscores[j][e] += dscore;
          z[e] *= dscore;
        }
        float columns[4];
        if (j == at.own) {
          float lower_row[4] = {z[2], z[3], z[6], z[7]};
          columns[0] = z[0], columns[1] = z[1], columns[2] = z[4], columns[3] = z[5];
          sums_before(columns, me.g);
          sums_before(lower_row, me.g + 8);
#pragma unroll
          for (int e = 0; e < 4; ++e) columns[e] += lower_row[e];
        } else {
          upper_sum += (z[0] + z[1]) + (z[4] + z[5]);
          lower_sum += (z[2] + z[3]) + (z[6] + z[7]);
          columns[0] = z[0] + z[2], columns[1] = z[1] + z[3], columns[2] = z[4] + z[6], columns[3] = z[5] + z[7];
        }
        const float sum = sum_of_columns(columns);
        if ((me.lane & 4) == 0) column_sums()[at.own * kChunk + j * kTile + column_of_sum()] = sum;
      }
    store_part(at.args.out.skip, i, skip);
    upper_sum = sum_of_row(upper_sum), lower_sum = sum_of_row(lower_sum);
  }

  /// This warp's part of a sum by block.
  __device__ void store_part(float* to, int i, float v) const {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) v += __shfl_xor_sync(kAll, v, step);
    if (Lane().lane == 0) to[at.block(i) * kParts + at.warp] = v;
  }

  /// dc += from_start ∘ dy S, and what that says of the decays since the chunk's start.
  __device__ void from_start(int i, const Packed (&dy)[P / 16], float upper, float lower) {
    const auto s_turned = LaneOf<N>::down(at.state_tile(i));
    const auto c_rows = LaneOf<N>::down(at.stay_tile());
    float upper_sum = 0, lower_sum = 0;
#pragma unroll
    for (int n = 0; n < N / 16; n += 2) {
      Block acc[2];
      clear(acc);
#pragma unroll
      for (int k = 0; k < P / 16; ++k)
#pragma unroll
        for (int u = 0; u < 2; ++u) {
          Packed b;
          load_matrices_turned(b, s_turned.block(k, n + u));
          multiply(acc[u], dy[k], b);
        }
      scale_rows(acc, upper, lower);
#pragma unroll
      for (int u = 0; u < 2; ++u) {
        Packed c;
        load_matrices(c, c_rows.block(at.own, n + u));
        add_products(upper_sum, lower_sum, c, acc[u]);
#pragma unroll
        for (int e = 0; e < 8; ++e) dc[n + u][e] += acc[u][e];
      }
    }
    at.store_by_token(at.args.out.from_start, i, sum_of_row(upper_sum), sum_of_row(lower_sum));
  }

  /// <R, S>: the diagonals of products of the same 16 rows of both. Any order of columns will do that both have.
  __device__ void through(int i, float whole) const {
    constexpr int kRowTiles = P / 16, kParts2 = kTilesOfChunk / kRowTiles, kColumns = N / kParts2;
    const Lane me;
    const int tile = at.warp % kRowTiles, first = at.warp / kRowTiles * kColumns;
    const Tile<N> state = at.state_tile(i);
    const Half* const rows = at.args.end_gradients + at.block(i) * (P * N) + (tile * 16 + me.g) * N;
    Block acc[1];
    clear(acc);
#pragma unroll
    for (int n = 0; n < kColumns; n += 32) {
      const int column = first + n + me.q * 8;
      const uint4 r0 = *reinterpret_cast<const uint4*>(rows + column);
      const uint4 r1 = *reinterpret_cast<const uint4*>(rows + 8 * N + column);
      const uint4 s0 = load_shared16(state.unit(tile * 16 + me.g, column / 8));
      const uint4 s1 = load_shared16(state.unit(tile * 16 + me.g + 8, column / 8));
      multiply(acc[0], {s0.x, s1.x, s0.y, s1.y}, {r0.x, r0.y, r1.x, r1.y});
      multiply(acc[0], {s0.z, s1.z, s0.w, s1.w}, {r0.z, r0.w, r1.z, r1.w});
    }
    float sum = 0;
    if (me.g == 2 * me.q) sum = acc[0][0] + acc[0][6];
    if (me.g == 2 * me.q + 1) sum = acc[0][1] + acc[0][7];
    store_part(at.args.out.through, i, sum * whole);
  }

  __device__ void head(int i) {
    const GradientArgs& args = at.args;
    const Lane me;
    await_copies<Layout::kTokenStages - 1>();
    __syncthreads();
    at.load_state(i + 1, args.states);
    float dt = 0, log_decay = 0;
    const bool more = i + 1 < at.task.heads;
    if (more) dt = args.decays.dt[at.own_token(i + 1)], log_decay = args.decays.log_decay[at.own_token(i + 1)];
    Packed dy[P / 16];
    const auto dy_rows = LaneOf<P>::down(at.own_tile());
#pragma unroll
    for (int k = 0; k < P / 16; ++k) load_matrices(dy[k], dy_rows.block(at.own, k));
    __syncwarp();
    at.load_own(i + 1, args.dy);
    commit_copies();
    const TileDecays& decay = at.decays()[i & 1];
    const float to_other = decay.between(me.lane < kTilesOfChunk ? me.lane : -1, me.lane == 30 ? 8 : at.own);
    float upper_sum, lower_sum;
    inside_chunk(i, dy, decay, to_other, upper_sum, lower_sum);
    __syncthreads();
    at.load_tokens(i + Layout::kTokenStages, args.x);
    commit_copies();
    const float inside = decay_gradient(column_sums(), at.own, upper_sum, lower_sum);
    if (me.lane < kTile) args.out.inside[at.own_token(i)] = inside;
    const float before = __shfl_sync(kAll, to_other, 31), whole = __shfl_sync(kAll, to_other, 30);
    from_start(i, dy, before * decay.row[at.own * kTile + me.g], before * decay.row[at.own * kTile + me.g + 8]);
    through(i, whole);
    __syncwarp();
    if (more) build_decays(at.decays()[~i & 1], at.inside(), at.own, dt, log_decay);
  }

  /// dc += dK B, and dKᵀ C as a share of db.
  __device__ void through_scores() {
    const GradientArgs& args = at.args;
    const Tile<kChunk> packed{at.base + Layout::kScores};
    await_copies<0>();
    __syncthreads();
    at.load_group(at.passing_tile(), args.b);
    commit_copies();
    await_copies<0>();
    const auto to = LaneOf<kChunk>::down(packed);
    __syncthreads();
    const auto b_turned = LaneOf<N>::down(at.passing_tile());
#pragma unroll
    for (int j = 0; j < kTilesOfChunk; ++j)
      if (j <= at.own) {
        Packed a;
        pack(a, dscores[j]);
        store_matrices(to.block(at.own, j), a);
#pragma unroll
        for (int n = 0; n < N / 16; ++n) {
          Packed b;
          load_matrices_turned(b, b_turned.block(j, n));
          multiply(dc[n], a, b);
        }
      }
    const int split = at.task.first_head % args.s.heads_of_group() / at.task.heads;
    at.store_share(args.out.dc, split, dc);
    __syncthreads();
    clear(dc);
    const auto turned = LaneOf<kChunk>::across(packed);
    const auto c_turned = LaneOf<N>::down(at.stay_tile());
    for (int k = at.own; k < kTilesOfChunk; ++k) {
      Packed a;
      load_matrices_turned(a, turned.block(k, at.own));
#pragma unroll
      for (int n = 0; n < N / 16; ++n) {
        Packed b;
        load_matrices_turned(b, c_turned.block(k, n));
        multiply(dc[n], a, b);
      }
    }
    at.store_share(args.out.db, 2 * split, dc);
  }

  __device__ void run() {
    const GradientArgs& args = at.args;
    at.load_group(at.stay_tile(), args.c);
    at.load_group(at.passing_tile(), args.b);
    commit_copies();
    build_decays(at.decays()[0], at.inside(), at.own, args.decays.dt[at.own_token(0)],
                 args.decays.log_decay[at.own_token(0)]);
    clear(dscores);
    clear(dc);
    await_copies<0>();
    __syncthreads();
    scores();
    __syncthreads();
    at.load_own(0, args.dy);
    at.load_tokens(0, args.x);
    commit_copies();
    at.load_state(0, args.states);
    commit_copies();
    if constexpr (Layout::kTokenStages == 2) {
      at.load_tokens(1, args.x);
      commit_copies();
    }
#pragma unroll 1
    for (int i = 0; i < at.task.heads; ++i) head(i);
    through_scores();
  }
};

}  // namespace hyscale::kernels::cuda::ssd
