#include <algorithm>

#include "core/kernels/cuda/column_sums.h"
#include "core/kernels/cuda/launch.h"
#include "core/kernels/cuda/pack.h"
#include "core/kernels/cuda/twins.h"

// A thread owns N neighbouring channels and a tile of time. It walks down the rows with the last inputs in registers
// and the next kAhead rows under way.
namespace hyscale::kernels::cuda {
namespace {

constexpr int kPacks = 32;  // of a row, of one block
constexpr int kTiles = 4;   // of one block, one behind the other in time
constexpr int kThreads = kPacks * kTiles;
/// Of the instance that models use; the others take the registers they like.
template <class T, int N, int W>
constexpr int kBlocksPerSm = sizeof(T) == 2 && N == 4 && W == 4 ? 4 : 1;

template <class T>
struct Conv {
  Rows<const T> u, weight;
  const float* bias = nullptr;
  Rows<const int32_t> begins;  // null: every sequence is one document
  int64_t channels = 0, length = 0, tile = 0;
  int64_t channel_blocks = 0, time_blocks = 0;  // blocks: sequences × time_blocks × channel_blocks
  int width = 0;

  /// How many tokens before token t it may look at.
  __device__ int reach(int64_t sequence, int64_t t) const {
    if (begins.data == nullptr || t >= length) return width - 1;
    return static_cast<int>(min(static_cast<int64_t>(width - 1), t - begins[sequence][t]));
  }
};

/// Where a thread works: tokens begin … end - 1 of one sequence, channels from `channel` on.
struct Place {
  int64_t sequence, channel, begin, end;

  template <class T>
  __device__ Place(const Conv<T>& conv, int lanes) {
    const int64_t block = blockIdx.x, row_block = block / conv.channel_blocks;
    sequence = row_block / conv.time_blocks;
    channel = (block % conv.channel_blocks * kPacks + threadIdx.x) * lanes;
    begin = (row_block % conv.time_blocks * kTiles + threadIdx.y) * conv.tile;
    end = min(begin + conv.tile, conv.length);
  }
};

/// The rows of one sequence, read by one thread kAhead rows before they are needed; 0 outside of 0 … stop - 1.
template <class T, int N, int kAhead>
struct Stream {
  const T* row;  // of the next token to fetch
  int64_t stride, t, stop;
  LoadedPack<T, N> next[kAhead];

  __device__ Stream(const Rows<const T>& rows, const Place& at, int64_t length, int64_t first, int64_t last)
      : row(rows[at.sequence * length + first] + at.channel), stride(rows.stride), t(first), stop(min(last, length)) {
#pragma unroll
    for (int slot = 0; slot < kAhead; ++slot) fetch(slot);
  }
  __device__ void fetch(int slot) {
    next[slot] = LoadedPack<T, N>{};
    if (t >= 0 && t < stop) next[slot] = load_packed<N>(row);
    ++t;
    row += stride;
  }
  /// The next row; slots take turns.
  __device__ LoadedPack<T, N> take(int slot) {
    const LoadedPack<T, N> pack = next[slot];
    fetch(slot);
    return pack;
  }
};

/// values[lag] of N channels, for lags 0 … W - 1.
template <int N, int W>
struct Lags {
  float at[W][N] = {};

  __device__ void push(const float (&newest)[N]) {
#pragma unroll
    for (int lag = W - 1; lag > 0; --lag)
#pragma unroll
      for (int i = 0; i < N; ++i) at[lag][i] = at[lag - 1][i];
#pragma unroll
    for (int i = 0; i < N; ++i) at[0][i] = newest[i];
  }
};

template <class T, int N>
__device__ void widen(const LoadedPack<T, N>& pack, float (&values)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i) values[i] = pack[i];
}

/// Weights by lag, 0 beyond the width, and bias.
template <int N, int W>
struct Taps {
  Lags<N, W> weight;
  float bias[N];

  template <class T>
  __device__ Taps(const Conv<T>& conv, int64_t channel) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      bias[i] = conv.bias[channel + i];
#pragma unroll
      for (int lag = 0; lag < W; ++lag)
        if (lag < conv.width) weight.at[lag][i] = to_f32(conv.weight[channel + i][conv.width - 1 - lag]);
    }
  }
  /// kLimited: a token may look less than W - 1 tokens back.
  template <bool kLimited>
  __device__ void pre(const Lags<N, W>& u, int reach, float (&sum)[N]) const {
#pragma unroll
    for (int i = 0; i < N; ++i) sum[i] = bias[i];
#pragma unroll
    for (int lag = W - 1; lag >= 0; --lag)
      if (!kLimited || lag <= reach)
#pragma unroll
        for (int i = 0; i < N; ++i) sum[i] += weight.at[lag][i] * u.at[lag][i];
  }
};

/// The W - 1 inputs before a tile.
template <class T, int N, int W>
__device__ Lags<N, W> inputs_before(const Conv<T>& conv, const Place& at) {
  Lags<N, W> u;
  Stream<T, N, W> before(conv.u, at, conv.length, at.begin - W, at.begin);
#pragma unroll
  for (int i = 0; i < W; ++i) widen(before.next[i], u.at[W - 1 - i]);
  return u;
}

template <class T, int N, int W, bool kLimited>
__global__ void __launch_bounds__(kThreads, kBlocksPerSm<T, N, W>) forward_kernel(Conv<T> conv, Rows<T> out) {
  constexpr int kAhead = 8;
  const Place at(conv, N);
  if (at.channel >= conv.channels || at.begin >= at.end) return;
  Stream<T, N, kAhead> stream(conv.u, at, conv.length, at.begin, at.end);
  const Taps<N, W> taps(conv, at.channel);
  Lags<N, W> u = inputs_before<T, N, W>(conv, at);
  T* to = out[at.sequence * conv.length + at.begin] + at.channel;
  for (int64_t first = at.begin; first < at.end; first += kAhead) {
#pragma unroll
    for (int i = 0; i < kAhead; ++i, to += out.stride) {
      if (first + i >= at.end) break;
      float newest[N], value[N];
      widen(stream.take(i), newest);
      u.push(newest);
      taps.template pre<kLimited>(u, kLimited ? conv.reach(at.sequence, first + i) : W - 1, value);
#pragma unroll
      for (int c = 0; c < N; ++c) value[c] *= sigmoid(value[c]);
      store_pack(to, value);
    }
  }
}

/// What a thread carries from token to token in backward.
template <class T, int N, int W, bool kLimited>
struct Backward {
  Lags<N, W> u, du;  // du: the sums of the last W tokens so far
  Lags<N, W> dweight;
  float dbias[N] = {};

  /// Token t's dout reaches the du of the W - 1 tokens before it; `counts`: and the sums of this tile.
  __device__ void step(const Taps<N, W>& taps, const LoadedPack<T, N>& input, const LoadedPack<T, N>& dout, int reach,
                       bool counts) {
    float newest[N], dpre[N];
    widen(input, newest);
    u.push(newest);
    taps.template pre<kLimited>(u, reach, dpre);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const float pre = dpre[i], s = sigmoid(pre);
      dpre[i] = dout[i] * s * (1 + pre * (1 - s));
    }
    du.push({});
#pragma unroll
    for (int lag = 0; lag < W; ++lag)
      if (!kLimited || lag <= reach)
#pragma unroll
        for (int i = 0; i < N; ++i) du.at[lag][i] += taps.weight.at[lag][i] * dpre[i];
    if (counts) add_to_sums(dpre, reach);
  }

  __device__ void add_to_sums(const float (&dpre)[N], int reach) {
#pragma unroll
    for (int lag = 0; lag < W; ++lag)
      if (!kLimited || lag <= reach)
#pragma unroll
        for (int i = 0; i < N; ++i) dweight.at[lag][i] += dpre[i] * u.at[lag][i];
#pragma unroll
    for (int i = 0; i < N; ++i) dbias[i] += dpre[i];
  }

  /// All tokens of a tile and the W - 1 after it, whose dpre the tile's last tokens need.
  __device__ void walk(const Conv<T>& conv, const Rows<const T>& dout, const Rows<T>& out, const Place& at) {
    constexpr int kAhead = 4;
    const int64_t last = at.end + W - 1;
    Stream<T, N, kAhead> inputs(conv.u, at, conv.length, at.begin, last),
        gradients(dout, at, conv.length, at.begin, last);
    const Taps<N, W> taps(conv, at.channel);
    u = inputs_before<T, N, W>(conv, at);
    T* to = out[at.sequence * conv.length + at.begin - (W - 1)] + at.channel;
    for (int64_t first = at.begin; first < last; first += kAhead) {
#pragma unroll
      for (int i = 0; i < kAhead; ++i, to += out.stride) {
        const int64_t t = first + i;
        step(taps, inputs.take(i), gradients.take(i), kLimited ? conv.reach(at.sequence, t) : W - 1, t < at.end);
        if (t - (W - 1) >= at.begin && t < last) store_pack(to, du.at[W - 1]);
      }
    }
  }
};

/// parts [sequences · time_blocks, W + 1, channels] f32: the sums of a block's tiles by lag, then of the bias.
template <class T, int N, int W, bool kLimited>
__global__ void __launch_bounds__(kThreads, kBlocksPerSm<T, N, W>)
    backward_kernel(Conv<T> conv, Rows<const T> dout, Rows<T> du, float* parts) {
  __shared__ float sums[kTiles][(W + 1) * N][kPacks];
  const Place at(conv, N);
  Backward<T, N, W, kLimited> state;
  if (at.channel < conv.channels && at.begin < at.end) state.walk(conv, dout, du, at);
#pragma unroll
  for (int i = 0; i < N; ++i) {
#pragma unroll
    for (int lag = 0; lag < W; ++lag) sums[threadIdx.y][lag * N + i][threadIdx.x] = state.dweight.at[lag][i];
    sums[threadIdx.y][W * N + i][threadIdx.x] = state.dbias[i];
  }
  __syncthreads();
  const int64_t first = static_cast<int64_t>(blockIdx.x) % conv.channel_blocks * kPacks * N;
  float* const part = parts + static_cast<int64_t>(blockIdx.x) / conv.channel_blocks * (W + 1) * conv.channels + first;
  for (int v = threadIdx.y * kPacks + threadIdx.x; v < (W + 1) * N * kPacks; v += kThreads) {
    const int row = v / (N * kPacks), c = v % (N * kPacks);
    if (first + c >= conv.channels) continue;
    float sum = 0;
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) sum += sums[tile][row * N + c % N][c / N];
    part[row * conv.channels + c] = sum;
  }
}

/// Column lag · channels + c of the parts belongs to dweight[c][width - 1 - lag], those after the last lag to dbias[c].
struct Gradients {
  Rows<float> dweight;
  float* dbias = nullptr;
  int64_t channels = 0;
  int lags = 0, width = 0;

  __device__ float* operator()(int64_t column) const {
    const auto lag = static_cast<int>(column / channels);
    const int64_t c = column % channels;
    if (lag == lags) return dbias + c;
    return lag < width ? dweight[c] + (width - 1 - lag) : nullptr;
  }
};

constexpr int kLanes = 4;  // channels of a thread where rows are aligned

bool aligned(const CausalConvArgs& args, std::initializer_list<const Tensor*> rows) {
  return args.u.extent(1) % kLanes == 0 &&
         std::ranges::all_of(rows, [](const Tensor* one) { return packs_fit<kLanes>(*one); });
}

template <class T>
Conv<T> conv_of(const CausalConvArgs& args, int lanes, int multiprocessors) {
  if (args.weight.extent(1) > 1 && args.weight.stride(1) != 1)
    throw ShapeError("causal_conv on a GPU: taps of a channel must be contiguous");
  Conv<T> conv{.u = rows_of<const T>(args.u),
               .weight = rows_of<const T>(args.weight),
               .bias = pointer_to<const float>(args.bias),
               .begins = rows_of<const int32_t>(args.document_begins),
               .channels = args.u.extent(1),
               .length = args.u.extent(0) / args.sequences};
  const int64_t packs = divide_up(conv.channels, lanes);
  const int64_t wanted = int64_t{4096} * multiprocessors;  // threads: several rounds of what is resident at once
  conv.tile = 128;                                         // long: few rows are read twice
  while (conv.tile > 16 && args.sequences * packs * divide_up(conv.length, conv.tile) < wanted) conv.tile /= 2;
  conv.channel_blocks = divide_up(packs, kPacks);
  conv.time_blocks = divide_up(conv.length, conv.tile * kTiles);
  conv.width = static_cast<int>(args.weight.extent(1));
  return conv;
}

/// Calls run.operator()<N, W, kLimited>() with the narrowest instance that does: 4 taps are what models have.
template <class F>
void with_instance(const CausalConvArgs& args, bool packed, F&& run) {
  const int64_t width = args.weight.extent(1);
  if (!packed) return run.template operator()<1, 8, true>();
  if (width > 4) return run.template operator()<kLanes, 8, true>();
  if (width < 4 || !args.document_begins.empty()) return run.template operator()<kLanes, 4, true>();
  run.template operator()<kLanes, 4, false>();
}

}  // namespace

void causal_conv_silu(const CausalConvArgs& args, const Tensor& out, const Exec& exec) {
  const OperationTimer timer(exec, "causal_conv_silu");
  if (out.numel() == 0) return;
  const CudaContext& context = cuda_context(exec);
  with_activation("causal_conv_silu", out.dtype(), [&]<class T>(T) {
    with_instance(args, aligned(args, {&args.u, &out}), [&]<int N, int W, bool kLimited>() {
      const auto conv = conv_of<T>(args, N, context.multiprocessors());
      const auto blocks = static_cast<unsigned>(args.sequences * conv.time_blocks * conv.channel_blocks);
      forward_kernel<T, N, W, kLimited><<<blocks, dim3(kPacks, kTiles), 0, context.stream()>>>(conv, rows_of<T>(out));
    });
  });
  check_launch("causal_conv_silu");
}

void causal_conv_silu_backward(const CausalConvArgs& args, const Tensor& dout, const Tensor& du, const Tensor& dweight,
                               const Tensor& dbias, const Exec& exec) {
  const OperationTimer timer(exec, "causal_conv_silu_backward");
  if (du.numel() == 0) return;
  const CudaContext& context = cuda_context(exec);
  with_activation("causal_conv_silu_backward", du.dtype(), [&]<class T>(T) {
    with_instance(args, aligned(args, {&args.u, &dout, &du}), [&]<int N, int W, bool kLimited>() {
      const auto conv = conv_of<T>(args, N, context.multiprocessors());
      const int64_t row_blocks = args.sequences * conv.time_blocks;
      const Arena::Scope scope(*exec.arena);
      const Tensor parts = exec.arena->tensor(DType::f32, {row_blocks, W + 1, conv.channels});
      backward_kernel<T, N, W, kLimited>
          <<<static_cast<unsigned>(row_blocks * conv.channel_blocks), dim3(kPacks, kTiles), 0, context.stream()>>>(
              conv, rows_of<const T>(dout), rows_of<T>(du), pointer_to<float>(parts));
      add_column_sums(parts, (W + 1) * conv.channels,
                      Gradients{.dweight = rows_of<float>(dweight),
                                .dbias = pointer_to<float>(dbias),
                                .channels = conv.channels,
                                .lags = W,
                                .width = conv.width},
                      context.stream());
    });
  });
  check_launch("causal_conv_silu_backward");
}

}  // namespace hyscale::kernels::cuda
