#pragma once

#include "core/kernels/cuda/ssd/gradients.cuh"

namespace hyscale::kernels::cuda::ssd {

template <int P, int N>
struct ByColumn {
  using Layout = GradientShape<P, N>;
  const Place<P, N>& at;
  Block db[N / 16];

  __device__ int first_score() const { return at.own * kTilesOfChunk - at.own * (at.own - 1) / 2; }

  /// (C Bᵀ)ᵀ from the warp's own tile of rows on.
  __device__ void scores() {
    const auto b_rows = LaneOf<N>::down(at.stay_tile());
    const auto c_columns = LaneOf<N>::across(at.passing_tile());
    for (int j = at.own; j < kTilesOfChunk; ++j) {
      Block acc[1];
      clear(acc);
#pragma unroll
      for (int k = 0; k < N / 16; ++k) {
        Packed a, b;
        load_matrices(a, b_rows.block(at.own, k));
        load_matrices(b, c_columns.block(j, k));
        multiply(acc[0], a, b);
      }
      keep(at.score(first_score() + j - at.own), acc[0]);
    }
  }

  /// v = to_end ∘ B Rᵀ and db += to_end dt x R; to_end by rows: upper, lower.
  __device__ void from_end(int i, Block (&v)[P / 16], const Packed (&x)[P / 16], const float2& to_end,
                           const float2& dt) {
    const auto b_rows = LaneOf<N>::down(at.stay_tile());
    const auto r_columns = LaneOf<N>::across(at.state_tile(i));
    const auto r_turned = LaneOf<N>::down(at.state_tile(i));
#pragma unroll
    for (int k = 0; k < N / 16; ++k) {
      Packed a;
      load_matrices(a, b_rows.block(at.own, k));
#pragma unroll
      for (int p = 0; p < P / 16; ++p) {
        Packed b;
        load_matrices(b, r_columns.block(p, k));
        multiply(v[p], a, b);
      }
    }
    scale_rows(v, to_end.x, to_end.y);
    float upper = 0, lower = 0;
#pragma unroll
    for (int p = 0; p < P / 16; ++p) add_products(upper, lower, x[p], v[p]);
    at.store_by_token(at.args.out.to_end, i, dt.x * sum_of_row(upper), dt.y * sum_of_row(lower));
    const float wu = to_end.x * dt.x, wl = to_end.y * dt.y;
#pragma unroll
    for (int k = 0; k < P / 16; ++k) {
      const Packed a = {pack(wu * low(x[k][0]), wu * high(x[k][0])), pack(wl * low(x[k][1]), wl * high(x[k][1])),
                        pack(wu * low(x[k][2]), wu * high(x[k][2])), pack(wl * low(x[k][3]), wl * high(x[k][3]))};
#pragma unroll
      for (int n = 0; n < N / 16; ++n) {
        Packed b;
        load_matrices_turned(b, r_turned.block(k, n));
        multiply(db[n], a, b);
      }
    }
  }

  /// v += (scores ∘ L)ᵀ dy.
  __device__ void inside_chunk(int i, Block (&v)[P / 16], const TileDecays& decay, float to_other) {
    const Lane me;
    const auto dy_turned = LaneOf<P>::down(at.tokens_tile(i));
    const float upper = decay.column[at.own * kTile + me.g], lower = decay.column[at.own * kTile + me.g + 8];
#pragma unroll 1
    for (int k = at.own; k < kTilesOfChunk; ++k) {
      Block f;
      split(f, at.score(first_score() + k - at.own));
      const float between = __shfl_sync(kAll, to_other, k);
#pragma unroll
      for (int e = 0; e < 8; ++e) {
        const int row = me.g + ((e & 2) != 0 ? 8 : 0), column = (e >> 2) * 8 + me.q * 2 + (e & 1);
        f[e] *= k == at.own ? at.inside()[column * kTile + row]
                            : ((e & 2) != 0 ? lower : upper) * between * decay.row[k * kTile + column];
      }
      Packed a;
      pack(a, f);
#pragma unroll
      for (int p = 0; p < P / 16; ++p) {
        Packed b;
        load_matrices_turned(b, dy_turned.block(k, p));
        multiply(v[p], a, b);
      }
    }
  }

  /// dx = dt v + d dy, and what dt owes to its product with x.
  __device__ void input_gradient(int i, Block (&v)[P / 16], const Packed (&x)[P / 16], const float2& dt) const {
    const GradientArgs& args = at.args;
    const auto dy_rows = LaneOf<P>::down(at.tokens_tile(i));
    const float skip = args.d[at.task.first_head + i];
    float upper = 0, lower = 0;
#pragma unroll
    for (int p = 0; p < P / 16; ++p) {
      add_products(upper, lower, x[p], v[p]);
      Packed dy;
      load_matrices(dy, dy_rows.block(at.own, p));
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const float by = (e & 1) != 0 ? dt.y : dt.x;
        v[p][2 * e] = by * v[p][2 * e] + skip * low(dy[e]);
        v[p][2 * e + 1] = by * v[p][2 * e + 1] + skip * high(dy[e]);
      }
    }
    at.store_by_token(args.out.input, i, sum_of_row(upper), sum_of_row(lower));
    at.staging().store(v, at.head(args.dx, i) + at.own * kTile * args.dx.stride, args.dx.stride,
                       at.count - at.own * kTile, args.s.head_dim);
  }

  __device__ void head(int i) {
    const GradientArgs& args = at.args;
    const Lane me;
    await_copies<Layout::kStateStages - 1>();
    __syncthreads();
    at.load_tokens(i + Layout::kTokenStages - 1, args.dy);
    float next_dt = 0, next_decay = 0;
    const bool more = i + 1 < at.task.heads;
    if (more) next_dt = args.decays.dt[at.own_token(i + 1)], next_decay = args.decays.log_decay[at.own_token(i + 1)];
    Packed x[P / 16];
    const auto x_rows = LaneOf<P>::down(at.own_tile());
#pragma unroll
    for (int k = 0; k < P / 16; ++k) load_matrices(x[k], x_rows.block(at.own, k));
    __syncwarp();
    at.load_own(i + 1, args.x);
    commit_copies();
    const TileDecays& decay = at.decays()[i & 1];
    const float to_other = decay.between(me.lane < kTilesOfChunk ? me.lane : 8, at.own);
    const float after = __shfl_sync(kAll, to_other, 31);
    const int token = at.own * kTile + me.g;
    const float2 dt = {decay.dt[token], decay.dt[token + 8]};
    Block v[P / 16];
    clear(v);
    from_end(i, v, x, {after * decay.column[token], after * decay.column[token + 8]}, dt);
    if constexpr (Layout::kTokenStages == 1) await_copies<0>();
    __syncthreads();
    at.load_state(i + Layout::kStateStages, args.end_gradients);
    commit_copies();
    inside_chunk(i, v, decay, to_other);
    input_gradient(i, v, x, dt);
    __syncwarp();
    if (more) build_decays(at.decays()[~i & 1], at.inside(), at.own, next_dt, next_decay);
  }

  __device__ void run() {
    const GradientArgs& args = at.args;
    at.load_group(at.stay_tile(), args.b);
    at.load_group(at.passing_tile(), args.c);
    commit_copies();
    build_decays(at.decays()[0], at.inside(), at.own, args.decays.dt[at.own_token(0)],
                 args.decays.log_decay[at.own_token(0)]);
    clear(db);
    await_copies<0>();
    __syncthreads();
    scores();
    __syncthreads();
    at.load_own(0, args.x);
    at.load_state(0, args.end_gradients);
    commit_copies();
    if constexpr (Layout::kTokenStages == 2) {
      at.load_tokens(0, args.dy);
      commit_copies();
    }
    at.load_state(1, args.end_gradients);
    commit_copies();
#pragma unroll 1
    for (int i = 0; i < at.task.heads; ++i) head(i);
    const int split = at.task.first_head % args.s.heads_of_group() / at.task.heads;
    at.store_share(args.out.db, 2 * split + 1, db);
  }
};

}  // namespace hyscale::kernels::cuda::ssd
