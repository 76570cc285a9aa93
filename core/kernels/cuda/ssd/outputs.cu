// y of all chunks at once: y = d x + from_start ∘ (C Sᵀ) + (C Bᵀ ∘ L dt) x. A block of threads has one chunk and takes
// the heads of its group one after another; each warp has 16 tokens.
#include "core/kernels/cuda/ssd/decay.cuh"

namespace hyscale::kernels::cuda::ssd {
namespace {

struct OutputArgs {
  Sizes s;
  Rows<const Half> x, b, c;
  const float* d;
  Decays decays;
  const Half* states;
  Rows<Half> y;
  int splits;
};

template <int P, int N>
struct OutputShape {
  static constexpr int kX = Tile<P>::bytes(kChunk), kStage = kX + Tile<N>::bytes(P);
  static constexpr int kC = 2 * kStage;
  static constexpr int kStaging = kC + Tile<N>::bytes(kChunk);  // and before it is staged in, decays inside the tile
  static constexpr int kDecays = kStaging + kTilesOfChunk * Staging::kBytes;
  static constexpr int kBytes = kDecays + 2 * static_cast<int>(sizeof(TileDecays));
  static_assert(Tile<N>::bytes(kChunk) <= kStage, "B is kept for a while in a stage");
};

template <int P, int N>
__global__ void __launch_bounds__(kThreads, 1) output_kernel(OutputArgs args) {
  using Layout = OutputShape<P, N>;
  extern __shared__ __align__(1024) char memory[];
  const Sizes& s = args.s;
  const uint32_t base = shared_address(memory);
  auto* const decays = reinterpret_cast<TileDecays*>(memory + Layout::kDecays);
  const int thread = static_cast<int>(threadIdx.x), warp = warp_number();
  const int own = warp < 4 ? warp : 11 - warp;  // early and late tiles share a quarter of the processor: equal work
  const Lane me;
  const Task task(s, blockIdx.x, args.splits);
  const int64_t first_row = s.row(task.sequence, task.chunk);
  const int count = s.count(task.chunk);
  float* const inside = reinterpret_cast<float*>(memory + Layout::kStaging + warp * Staging::kBytes);
  const Staging staging{base + Layout::kStaging + warp * Staging::kBytes};

  const auto load_head = [&](int i) {
    const int h = task.first_head + i;
    const uint32_t stage = base + (i & 1) * Layout::kStage;
    Tile<P>{stage}.template fill<kThreads, kChunk>(0, thread, args.x[first_row] + h * s.head_dim, args.x.stride, count,
                                                   s.head_dim);
    Tile<N>{stage + Layout::kX}.template fill<kThreads, P>(
        0, thread, args.states + s.block(task.sequence, h, task.chunk) * (P * N), N, P, N);
    commit_copies();
  };
  const auto token_of = [&](int i) {
    return s.block(task.sequence, task.first_head + i, task.chunk) * kChunk + own * kTile + (me.lane & 15);
  };
  const Half* const of_group = args.c[first_row] + task.group * s.d_state;
  Tile<N>{base + Layout::kC}.template fill<kThreads, kChunk>(0, thread, of_group, args.c.stride, count, s.d_state);
  Tile<N>{base + Layout::kStage}.template fill<kThreads, kChunk>(0, thread, args.b[first_row] + task.group * s.d_state,
                                                                 args.b.stride, count, s.d_state);
  commit_copies();
  load_head(0);
  build_decays(decays[0], inside, own, args.decays.dt[token_of(0)], args.decays.log_decay[token_of(0)]);
  await_copies<1>();
  __syncthreads();

  const auto c_rows = LaneOf<N>::down({base + Layout::kC});
  Block scores[kTilesOfChunk];
  clear(scores);
  const auto b_columns = LaneOf<N>::across({base + Layout::kStage});
#pragma unroll
  for (int k = 0; k < N / 16; ++k) {
    Packed a;
    load_matrices(a, c_rows.block(own, k));
#pragma unroll
    for (int j = 0; j < kTilesOfChunk; ++j)
      if (j <= own) {
        Packed b;
        load_matrices(b, b_columns.block(j, k));
        multiply(scores[j], a, b);
      }
  }

#pragma unroll 1
  for (int i = 0; i < task.heads; ++i) {
    await_copies<0>();
    __syncthreads();
    const bool more = i + 1 < task.heads;
    float dt = 0, log_decay = 0;
    if (more) {
      load_head(i + 1);
      dt = args.decays.dt[token_of(i + 1)], log_decay = args.decays.log_decay[token_of(i + 1)];
    }
    const TileDecays& decay = decays[i & 1];
    const uint32_t stage = base + (i & 1) * Layout::kStage;
    const float to_other = decay.between(me.lane < kTilesOfChunk ? me.lane : -1, own);
    const float upper = decay.row[own * kTile + me.g], lower = decay.row[own * kTile + me.g + 8];
    Block y[P / 16];
    clear(y);
    const auto s_columns = LaneOf<N>::across({stage + Layout::kX});
#pragma unroll
    for (int k = 0; k < N / 16; ++k) {
      Packed a;
      load_matrices(a, c_rows.block(own, k));
#pragma unroll
      for (int p = 0; p < P / 16; ++p) {
        Packed b;
        load_matrices(b, s_columns.block(p, k));
        multiply(y[p], a, b);
      }
    }
    const float before = __shfl_sync(kAll, to_other, 31);
    scale_rows(y, upper * before, lower * before);
    const auto x_turned = LaneOf<P>::down({stage});
#pragma unroll
    for (int j = 0; j < kTilesOfChunk; ++j)
      if (j <= own) {
        const float between = __shfl_sync(kAll, to_other, j);
        Block f;
        decay_factors(f, decay, inside, own, j, upper * between, lower * between);
#pragma unroll
        for (int e = 0; e < 8; ++e) f[e] *= scores[j][e];
        Packed a;
        pack(a, f);
#pragma unroll
        for (int p = 0; p < P / 16; ++p) {
          Packed b;
          load_matrices_turned(b, x_turned.block(j, p));
          multiply(y[p], a, b);
        }
      }
    const int h = task.first_head + i;
    const float skip = args.d[h];
#pragma unroll
    for (int p = 0; p < P / 16; ++p) {
      Packed x;
      load_matrices(x, x_turned.block(own, p));
#pragma unroll
      for (int e = 0; e < 4; ++e) y[p][2 * e] += skip * low(x[e]), y[p][2 * e + 1] += skip * high(x[e]);
    }
    staging.store(y, args.y[first_row + own * kTile] + h * s.head_dim, args.y.stride, count - own * kTile, s.head_dim);
    if (more) {
      __syncwarp();
      build_decays(decays[~i & 1], inside, own, dt, log_decay);
    }
  }
}

}  // namespace

void outputs(const Sizes& sizes, Tiles tiles, const HalfInputs& in, const Decays& decays, const Half* states,
             Rows<Half> y, cudaStream_t stream) {
  const OutputArgs args{sizes, in.x, in.b, in.c, in.d, decays, states, y, head_splits(sizes, 1)};
  with_tiles(tiles, [&]<int P, int N>() {
    using Layout = OutputShape<P, N>;
    allow_shared(output_kernel<P, N>, Layout::kBytes);
    const int64_t tasks = sizes.sequences * sizes.chunks * sizes.groups * args.splits;
    output_kernel<P, N><<<static_cast<unsigned>(tasks), kThreads, Layout::kBytes, stream>>>(args);
  });
  check_launch("ssd outputs");
}

}  // namespace hyscale::kernels::cuda::ssd
