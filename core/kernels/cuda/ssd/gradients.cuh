#pragma once

#include "core/kernels/cuda/ssd/decay.cuh"

// Backward of one chunk, its heads one after another, in two roles that run side by side in blocks of threads of their
// own: by rows (gradients that belong to a token's output: c, and the decays between tokens) and by columns (those of
// its input: x, b). G = dy xᵀ, S the state at the chunk's start, R the gradient of the state at its end.
//   rows:     dK = Σ_heads G ∘ L dt;   dc = dK B + Σ_heads from_start ∘ dy S;   a share of db: dKᵀ C
//   columns:  V = to_end ∘ B Rᵀ + (C Bᵀ ∘ L)ᵀ dy;   dx = dt V + d dy;   the other share of db: Σ_heads to_end dt x R
namespace hyscale::kernels::cuda::ssd {

struct GradientArgs {
  Sizes s;
  Rows<const Half> x, b, c, dy;
  const float* d;
  Decays decays;
  const Half *states, *end_gradients;
  Rows<Half> dx;
  BackwardScratch out;
  int splits;
};

/// Shared memory of both roles. Each has two tiles in phases: what the first phase of a head reads and what the second
/// reads; one phase loads for the other, into the next of so many stages. A warp alone reads its 16 rows of `own`.
template <int P, int N>
struct GradientShape {
  static constexpr int kTokenStages = P == 64 ? 2 : 1, kStateStages = 2;  // as many as there is room for
  static constexpr int kTokens = Tile<P>::bytes(kChunk), kState = Tile<N>::bytes(P), kGroup = Tile<N>::bytes(kChunk);
  static constexpr int kStay = 0;         // C by rows, B by columns
  static constexpr int kPhases = kGroup;  // the stages; for a while the other group tile
  static constexpr int kStates = kPhases + kTokenStages * kTokens;
  static constexpr int kOwn = kStates + kStateStages * kState;
  static constexpr int kScores = kOwn + kTokens;  // C Bᵀ by blocks; then dK
  static constexpr int kScoreBlocks = kTilesOfChunk * (kTilesOfChunk + 1) / 2;
  static constexpr int kStaging = kScores + kScoreBlocks * 1024;
  static constexpr int kDecays = kStaging + kTilesOfChunk * Staging::kBytes;
  static constexpr int kColumnSums = kDecays + 2 * static_cast<int>(sizeof(TileDecays));
  static constexpr int kBytes = kColumnSums + kTilesOfChunk * kChunk * static_cast<int>(sizeof(float));
  static_assert(kGroup <= kOwn - kPhases && Tile<kChunk>::bytes(kChunk) <= kScoreBlocks * 1024);
  static_assert(kBytes <= 232448);
};

/// What both roles know of their place.
template <int P, int N>
struct Place {
  using Layout = GradientShape<P, N>;
  const GradientArgs& args;
  const Task& task;
  char* memory;
  uint32_t base;
  int thread, warp, own;  // own: the tile of tokens that this warp works on
  int64_t first_row;
  int count;

  __device__ Place(const GradientArgs& a, const Task& t, char* m)
      : args(a),
        task(t),
        memory(m),
        base(shared_address(m)),
        thread(static_cast<int>(threadIdx.x)),
        warp(warp_number()),
        own(warp < 4 ? warp : 11 - warp),
        first_row(a.s.row(t.sequence, t.chunk)),
        count(a.s.count(t.chunk)) {}

  __device__ int64_t block(int i) const { return args.s.block(task.sequence, task.first_head + i, task.chunk); }
  __device__ int64_t own_token(int i) const { return block(i) * kChunk + own * kTile + (Lane().lane & 15); }
  __device__ TileDecays* decays() const { return reinterpret_cast<TileDecays*>(memory + Layout::kDecays); }
  __device__ float* inside() const {
    return reinterpret_cast<float*>(memory + Layout::kStaging + warp * Staging::kBytes);
  }
  __device__ Staging staging() const { return {base + Layout::kStaging + warp * Staging::kBytes}; }
  __device__ Tile<P> tokens_tile(int i) const {
    return {base + Layout::kPhases + (i % Layout::kTokenStages) * Layout::kTokens};
  }
  __device__ Tile<N> state_tile(int i) const {
    return {base + Layout::kStates + (i % Layout::kStateStages) * Layout::kState};
  }
  __device__ Tile<P> own_tile() const { return {base + Layout::kOwn}; }
  __device__ Tile<N> stay_tile() const { return {base + Layout::kStay}; }
  __device__ Tile<N> passing_tile() const { return {base + Layout::kPhases}; }
  /// A lane's entries of block `k` of the scores.
  __device__ float4* score(int k) const {
    return reinterpret_cast<float4*>(memory + Layout::kScores + k * 1024) + Lane().lane;
  }

  __device__ void load_group(Tile<N> to, const Rows<const Half>& from) const {
    to.template fill<kThreads, kChunk>(0, thread, from[first_row] + task.group * args.s.d_state, from.stride, count,
                                       args.s.d_state);
  }
  __device__ void load_tokens(int i, const Rows<const Half>& from) const {
    if (i < task.heads)
      tokens_tile(i).template fill<kThreads, kChunk>(0, thread, head(from, i), from.stride, count, args.s.head_dim);
  }
  __device__ void load_state(int i, const Half* from) const {
    if (i < task.heads) state_tile(i).template fill<kThreads, P>(0, thread, from + block(i) * (P * N), N, P, N);
  }
  /// Only this warp's rows.
  __device__ void load_own(int i, const Rows<const Half>& from) const {
    if (i < task.heads)
      own_tile().template fill<32, kTile>(own * kTile, Lane().lane, head(from, i) + own * kTile * from.stride,
                                          from.stride, count - own * kTile, args.s.head_dim);
  }
  template <class T>
  __device__ T* head(const Rows<T>& rows, int i) const {
    return rows[first_row] + (task.first_head + i) * args.s.head_dim;
  }
  /// One value of each of the warp's rows; the four lanes of a row hold the same.
  __device__ void store_by_token(float* to, int i, float upper, float lower) const {
    const Lane me;
    if (me.q != 0) return;
    float* const at = to + block(i) * kChunk + own * kTile;
    at[me.g] = upper, at[me.g + 8] = lower;
  }
  /// A lane's entries of the warp's rows of a share of db or dc.
  __device__ void store_share(float* to, int slot, const Block (&acc)[N / 16]) const {
    const Sizes& s = args.s;
    const Lane me;
    const int64_t width = static_cast<int64_t>(s.groups) * s.d_state;
    float* const rows = to + (slot * s.sequences * s.length + first_row + own * kTile) * width + task.group * s.d_state;
#pragma unroll
    for (int j = 0; j < N / 16; ++j)
#pragma unroll
      for (int e = 0; e < 8; e += 2) {
        const int row = me.g + ((e & 2) != 0 ? 8 : 0), column = j * 16 + (e >> 2) * 8 + me.q * 2;
        if (own * kTile + row < count && column < s.d_state)
          *reinterpret_cast<float2*>(rows + row * width + column) = make_float2(acc[j][e], acc[j][e + 1]);
      }
  }
};

inline __device__ void split(Block& to, const float4* from) {
  const float4 a = from[0], b = from[32];
  to[0] = a.x, to[1] = a.y, to[2] = a.z, to[3] = a.w;
  to[4] = b.x, to[5] = b.y, to[6] = b.z, to[7] = b.w;
}
inline __device__ void keep(float4* to, const Block& from) {
  to[0] = make_float4(from[0], from[1], from[2], from[3]);
  to[32] = make_float4(from[4], from[5], from[6], from[7]);
}

/// Adds the products of a bf16 block, as ldmatrix gives it, with what a lane holds: by rows.
inline __device__ void add_products(float& upper, float& lower, const Packed& a, const Block& b) {
  upper += low(a[0]) * b[0] + high(a[0]) * b[1] + low(a[2]) * b[4] + high(a[2]) * b[5];
  lower += low(a[1]) * b[2] + high(a[1]) * b[3] + low(a[3]) * b[6] + high(a[3]) * b[7];
}

}  // namespace hyscale::kernels::cuda::ssd
