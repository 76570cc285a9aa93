// The recurrence over chunks, of states or, walking back, of their gradients: a block of threads keeps P x N entries in
// f32 and takes one chunk after another.
#include "core/kernels/cuda/ssd/tiles.cuh"

namespace hyscale::kernels::cuda::ssd {
namespace {

constexpr int kChunk = 128;

struct WalkArgs {
  Sizes s;
  Rows<const Half> left, right;  // x and b; walking back dy and c
  Decays decays;
  const float* initial;  // [sequences, heads, d_state, head_dim] or null
  float* final_state;    // likewise
  Half* states;          // by block [P, N]
};

/// Two warps share 32 rows of the state, each has half of the columns.
template <int P, int N>
struct WalkShape {
  static constexpr int kThreads = P * 2;
  static constexpr int kBlocks = N / 32;  // 16 x 16, beside each other
  static constexpr int kLeft = Tile<P>::bytes(kChunk), kStage = kLeft + Tile<N>::bytes(kChunk);
  static constexpr int kStages = P == 64 ? 2 : 3;  // two blocks of threads share a processor, or one has it
  static constexpr int kStaging = kStages * kStage;
  static constexpr int kWeights = kStaging + kThreads / 32 * Staging::kBytes;
  static constexpr int kBytes = kWeights + 2 * (kChunk + 4) * static_cast<int>(sizeof(float));
};

/// By one warp: the weight of each token of a chunk, and of the state before it at weights[kChunk].
template <bool Back>
__device__ void set_weights(float* weights, float4 dt, float4 log_decay) {
  const int lane = Lane().lane;
  const float d[4] = {dt.x, dt.y, dt.z, dt.w}, a[4] = {log_decay.x, log_decay.y, log_decay.z, log_decay.w};
  float w[4], own = 0;
  if constexpr (Back) {  // through the token, from the chunk's start
    for (int i = 0; i < 4; ++i) w[i] = own += a[i];
  } else {  // behind the token, to the chunk's end
    for (int i = 3; i >= 0; own += a[i--]) w[i] = own;
  }
  float sum = own;
  for (int step = 1; step < 32; step *= 2) {
    const float other = Back ? __shfl_up_sync(kAll, sum, step) : __shfl_down_sync(kAll, sum, step);
    if (Back ? lane >= step : lane + step < 32) sum += other;
  }
  float others = Back ? __shfl_up_sync(kAll, sum, 1) : __shfl_down_sync(kAll, sum, 1);
  if (lane == (Back ? 0 : 31)) others = 0;
  for (int i = 0; i < 4; ++i) weights[4 * lane + i] = exp2_of(others + w[i]) * (Back ? 1.0F : d[i]);
  if (lane == (Back ? 31 : 0)) weights[kChunk] = exp2_of(sum);
}

/// Visits the entries of f32 states [d_state, head_dim] that a lane holds.
template <int Blocks, class F>
__device__ void for_each_entry(const Sizes& s, int first_p, int first_n, Block (&acc)[2][Blocks], F&& visit) {
  const Lane me;
#pragma unroll
  for (int m = 0; m < 2; ++m)
#pragma unroll
    for (int j = 0; j < Blocks; ++j)
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const int p = first_p + m * 16 + me.g + ((i & 2) != 0 ? 8 : 0);
        const int n = first_n + j * 16 + (i >> 2) * 8 + me.q * 2 + (i & 1);
        if (p < s.head_dim && n < s.d_state) visit(static_cast<int64_t>(n) * s.head_dim + p, acc[m][j][i]);
      }
}

inline __device__ uint32_t scaled(uint32_t pair, float2 by) { return pack(low(pair) * by.x, high(pair) * by.y); }

/// acc += (weights ∘ left)ᵀ · right over the tokens of a chunk.
template <int P, int N>
__device__ void add_chunk(Block (&acc)[2][N / 32], uint32_t stage, const float* weights, int pair, int half) {
  const Lane me;
  const auto left = LaneOf<P>::across({stage});
  const auto right = LaneOf<N>::down({stage + WalkShape<P, N>::kLeft});
#pragma unroll 2
  for (int k = 0; k < kChunk / 16; ++k) {
    const float2 w0 = *reinterpret_cast<const float2*>(weights + k * 16 + me.q * 2);
    const float2 w1 = *reinterpret_cast<const float2*>(weights + k * 16 + me.q * 2 + 8);
    Packed a[2];
#pragma unroll
    for (int m = 0; m < 2; ++m) {
      load_matrices_turned(a[m], left.block(k, pair * 2 + m));
      a[m][0] = scaled(a[m][0], w0), a[m][1] = scaled(a[m][1], w0);
      a[m][2] = scaled(a[m][2], w1), a[m][3] = scaled(a[m][3], w1);
    }
#pragma unroll
    for (int j = 0; j < N / 32; ++j) {
      Packed b;
      load_matrices_turned(b, right.block(k, half * (N / 32) + j));
      multiply(acc[0][j], a[0], b);
      multiply(acc[1][j], a[1], b);
    }
  }
}

template <int P, int N, bool Back>
__global__ void __launch_bounds__(P * 2, P == 64 ? 2 : 1) walk_kernel(WalkArgs args) {
  using Layout = WalkShape<P, N>;
  constexpr int kBlocks = Layout::kBlocks;
  extern __shared__ __align__(1024) char memory[];
  const Sizes& s = args.s;
  const uint32_t base = shared_address(memory);
  float* const weights = reinterpret_cast<float*>(memory + Layout::kWeights);
  const int thread = static_cast<int>(threadIdx.x), warp = warp_number(), pair = warp >> 1, half = warp & 1;
  const Lane me;
  const int64_t sequence = blockIdx.x / s.heads;
  const int head = static_cast<int>(blockIdx.x % s.heads), group = head / s.heads_of_group();
  const auto chunk_at = [&](int step) { return Back ? s.chunks - 1 - step : step; };
  const auto load = [&](int step) {
    const int chunk = chunk_at(step);
    const uint32_t stage = base + step % Layout::kStages * Layout::kStage;
    const int64_t row = s.row(sequence, chunk);
    Tile<P>{stage}.template fill<Layout::kThreads, kChunk>(0, thread, args.left[row] + head * s.head_dim,
                                                           args.left.stride, s.count(chunk), s.head_dim);
    Tile<N>{stage + Layout::kLeft}.template fill<Layout::kThreads, kChunk>(
        0, thread, args.right[row] + group * s.d_state, args.right.stride, s.count(chunk), s.d_state);
    commit_copies();
  };
  const auto tokens = [&](const float* by_token, int step) {
    return reinterpret_cast<const float4*>(by_token + s.block(sequence, head, chunk_at(step)) * kChunk)[me.lane];
  };
  const int64_t dense = (sequence * s.heads + head) * s.head_dim * s.d_state;
  Block acc[2][kBlocks];
  clear(acc[0]);
  clear(acc[1]);
  if (!Back && args.initial != nullptr)
    for_each_entry(s, pair * 32, half * (N / 2), acc, [&](int64_t at, float& v) { v = args.initial[dense + at]; });
  // What comes after the last chunk is nobody's, unless a final state is asked for.
  const int steps = args.final_state != nullptr ? s.chunks : s.chunks - 1;
  for (int step = 0; step < Layout::kStages - 1; ++step) {
    if (step < steps) load(step);
    commit_copies();
  }
  if (warp == 0) set_weights<Back>(weights, tokens(args.decays.dt, 0), tokens(args.decays.log_decay, 0));
  const Staging staging{base + Layout::kStaging + warp * Staging::kBytes};
  for (int step = 0; step < s.chunks; ++step) {
    Half* const state = args.states + s.block(sequence, head, chunk_at(step)) * (P * N) + half * (N / 2);
#pragma unroll
    for (int m = 0; m < 2; ++m) staging.store(acc[m], state + (pair * 32 + m * 16) * N, N, 16, N / 2);
    await_copies<Layout::kStages - 2>();
    __syncthreads();
    if (step == steps) return;
    if (step + Layout::kStages - 1 < steps) load(step + Layout::kStages - 1);
    commit_copies();
    const bool more = step + 1 < s.chunks;
    float4 dt{}, log_decay{};
    if (more && warp == 0) dt = tokens(args.decays.dt, step + 1), log_decay = tokens(args.decays.log_decay, step + 1);
    const float* const now = weights + (step & 1) * (kChunk + 4);
#pragma unroll
    for (int m = 0; m < 2; ++m) scale_rows(acc[m], now[kChunk], now[kChunk]);
    add_chunk<P, N>(acc, base + step % Layout::kStages * Layout::kStage, now, pair, half);
    if (more && warp == 0) set_weights<Back>(weights + (~step & 1) * (kChunk + 4), dt, log_decay);
  }
  for_each_entry(s, pair * 32, half * (N / 2), acc, [&](int64_t at, float v) { args.final_state[dense + at] = v; });
}

template <int P, int N, bool Back>
void launch(const WalkArgs& args, cudaStream_t stream) {
  using Layout = WalkShape<P, N>;
  allow_shared(walk_kernel<P, N, Back>, Layout::kBytes);
  const auto blocks = static_cast<unsigned>(args.s.sequences * args.s.heads);
  walk_kernel<P, N, Back><<<blocks, Layout::kThreads, Layout::kBytes, stream>>>(args);
  check_launch("ssd walk");
}

}  // namespace

void walk(const Sizes& sizes, Tiles tiles, const HalfInputs& in, const Decays& decays, Half* states, float* final_state,
          cudaStream_t stream) {
  const WalkArgs args{sizes, in.x, in.b, decays, in.initial, final_state, states};
  with_tiles(tiles, [&]<int P, int N>() { launch<P, N, false>(args, stream); });
}

void walk_back(const Sizes& sizes, Tiles tiles, const HalfInputs& in, Rows<const Half> dy, const Decays& decays,
               Half* end_gradients, cudaStream_t stream) {
  const WalkArgs args{sizes, dy, in.c, decays, nullptr, nullptr, end_gradients};
  with_tiles(tiles, [&]<int P, int N>() { launch<P, N, true>(args, stream); });
}

}  // namespace hyscale::kernels::cuda::ssd
