#include <algorithm>

#include "core/kernels/cuda/column_sums.h"
#include "core/kernels/cuda/pointwise.h"
#include "core/kernels/cuda/row_sum.h"
#include "core/kernels/cuda/twins.h"
#include "core/kernels/rms_norm.h"

// One row belongs to one warp, or to a whole block when it is wide. Each thread keeps up to kPacks packs of it in
// registers between the two times it needs them; of wider rows it reads the rest again.
namespace hyscale::kernels::cuda {
namespace {

constexpr int kThreads = 256;

template <class T>
struct Forward {
  Rows<T> out, sum;
  float* rstd;
  Rows<const T> x, delta;  // no delta: sum is not used either
  const float* weight;
  int64_t tokens, channels;
  float epsilon;
};

// h, rounded as `sum` keeps it for backward.
template <int N, class T>
__device__ void load_h(float (&h)[N], const Pack<T, N>& x, const Pack<T, N>& delta, bool adds) {
#pragma unroll
  for (int i = 0; i < N; ++i) h[i] = adds ? to_f32(from_f32<T>(to_f32(x.v[i]) + to_f32(delta.v[i]))) : to_f32(x.v[i]);
}

template <int N>
__device__ float squares(const float (&h)[N]) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < N; ++i) sum += h[i] * h[i];
  return sum;
}

template <int N, class T>
__device__ void store_normed(const Forward<T>& a, int64_t t, int64_t c, const float (&h)[N], float rstd) {
  float result[N], weight[N];
  load_floats(weight, a.weight + c);
#pragma unroll
  for (int i = 0; i < N; ++i) result[i] = h[i] * rstd * weight[i];
  store_pack(a.out[t] + c, result);
}

template <class T, int N, int kRowThreads, int kPacks, bool kRest>
__global__ void __launch_bounds__(kThreads) forward_kernel(Forward<T> a) {
  constexpr int kStep = kRowThreads * N;
  const int64_t t = static_cast<int64_t>(blockIdx.x) * (kThreads / kRowThreads) + threadIdx.x / kRowThreads;
  if (t >= a.tokens) return;  // whole warps; never within a row
  const int64_t begin = (threadIdx.x % kRowThreads) * N;
  const bool adds = a.delta.data != nullptr;
  Pack<T, N> x[kPacks], delta[kPacks];
#pragma unroll
  for (int p = 0; p < kPacks; ++p)
    if (const int64_t c = begin + p * kStep; c < a.channels) {
      x[p] = load_pack<N>(a.x[t] + c);
      if (adds) delta[p] = load_pack<N>(a.delta[t] + c);
    }
  float h[kPacks][N], sum = 0;
#pragma unroll
  for (int p = 0; p < kPacks; ++p)
    if (const int64_t c = begin + p * kStep; c < a.channels) {
      load_h(h[p], x[p], delta[p], adds);
      if (adds) store_pack(a.sum[t] + c, h[p]);
      sum += squares(h[p]);
    }
  for (int64_t c = begin + kPacks * kStep; kRest && c < a.channels; c += kStep) {
    float more[N];
    load_h(more, load_pack<N>(a.x[t] + c), adds ? load_pack<N>(a.delta[t] + c) : Pack<T, N>{}, adds);
    if (adds) store_pack(a.sum[t] + c, more);
    sum += squares(more);
  }
  sum = row_sum<kRowThreads>(sum, 0);
  const float rstd = 1 / sqrtf(sum / static_cast<float>(a.channels) + a.epsilon);
  if (threadIdx.x % kRowThreads == 0) a.rstd[t] = rstd;
#pragma unroll
  for (int p = 0; p < kPacks; ++p)
    if (const int64_t c = begin + p * kStep; c < a.channels) store_normed(a, t, c, h[p], rstd);
  for (int64_t c = begin + kPacks * kStep; kRest && c < a.channels; c += kStep) {
    float more[N];
    load_h(more, load_pack<N>((adds ? static_cast<const T*>(a.sum[t]) : a.x[t]) + c), Pack<T, N>{}, false);
    store_normed(a, t, c, more, rstd);
  }
}

template <class T>
struct Backward {
  Rows<T> dx;
  Rows<const T> dout, x;
  const float *rstd, *weight;
  float* parts;  // [gridDim.x, channels]: of dweight
  int64_t tokens, channels;
  bool accumulate;
};

// As loaded: a pack taken apart would fill twice the registers while it waits.
template <class T, int N>
using Word = std::conditional_t<N * sizeof(T) == 16, uint4, T>;

template <class T, int N>
struct BackwardPack {
  Word<T, N> dout, h, dx;
};

template <class T, int N>
__device__ Word<T, N> load_word(const T* from) {
  return *reinterpret_cast<const Word<T, N>*>(from);
}

template <class T, int N>
__device__ void load_backward(BackwardPack<T, N>& pack, const Backward<T>& a, int64_t t, int64_t c) {
  pack.dout = load_word<T, N>(a.dout[t] + c);
  pack.h = load_word<T, N>(a.x[t] + c);
  if (a.accumulate) pack.dx = load_word<T, N>(a.dx[t] + c);
}

template <class T, int N>
__device__ void unpack(float (&to)[N], const Word<T, N>& word) {
  const auto pack = *reinterpret_cast<const Pack<T, N>*>(&word);
#pragma unroll
  for (int i = 0; i < N; ++i) to[i] = to_f32(pack.v[i]);
}

// Σ dout · weight · h
template <class T, int N>
__device__ float along(const BackwardPack<T, N>& pack, const float* weight) {
  float w[N], d[N], h[N], sum = 0;
  load_floats(w, weight);
  unpack<T, N>(d, pack.dout);
  unpack<T, N>(h, pack.h);
#pragma unroll
  for (int i = 0; i < N; ++i) sum += d[i] * w[i] * h[i];
  return sum;
}

// With g = dout · weight and n = h · rstd:  dh = rstd · (g - n · mean(g · n)),  back = rstd³ · mean(g · h).
template <class T, int N>
__device__ void store_backward(const Backward<T>& a, int64_t t, int64_t c, const BackwardPack<T, N>& pack, float rstd,
                               float back, float (&dweight)[N]) {
  float w[N], d[N], h[N], result[N] = {};
  load_floats(w, a.weight + c);
  unpack<T, N>(d, pack.dout);
  unpack<T, N>(h, pack.h);
  if (a.accumulate) unpack<T, N>(result, pack.dx);
#pragma unroll
  for (int i = 0; i < N; ++i) {
    result[i] += d[i] * w[i] * rstd - h[i] * back;
    dweight[i] += d[i] * h[i] * rstd;
  }
  store_pack(a.dx[t] + c, result);
}

// One warp's rows: a block's sums are those of its warps, in their order.
template <int N, int kPacks>
__device__ void store_parts_of_warps(float* parts, const float (&dweight)[kPacks][N], int64_t channels) {
  constexpr int kWarps = kThreads / 32;
  __shared__ float sums[kWarps][kPacks * N][32];  // of the channel (p · 32 + lane) · N + i at p · N + i and lane
#pragma unroll
  for (int p = 0; p < kPacks; ++p)
#pragma unroll
    for (int i = 0; i < N; ++i) sums[threadIdx.x / 32][p * N + i][threadIdx.x % 32] = dweight[p][i];
  __syncthreads();
  for (int at = static_cast<int>(threadIdx.x); at < kPacks * N * 32; at += kThreads) {
    const int lane = at % 32, i = at / 32 % N, p = at / 32 / N, channel = (p * 32 + lane) * N + i;
    float sum = 0;
#pragma unroll
    for (int warp = 0; warp < kWarps; ++warp)
      sum = warp == 0 ? sums[0][at / 32][lane] : sum + sums[warp][at / 32][lane];
    if (channel < channels) parts[channel] = sum;
  }
}

// Of backward, at once on a multiprocessor: as many as their registers allow.
template <int kPacks>
constexpr int kResident = kPacks == 1 ? 3 : 4 / kPacks;

// Rows t, t + gridDim.x · (rows of a block) …; the next row is on its way while this one is summed.
template <class T, int N, int kRowThreads, int kPacks, bool kRest>
__global__ void __launch_bounds__(kThreads, kResident<kPacks>) backward_kernel(Backward<T> a) {
  constexpr int kStep = kRowThreads * N, kRows = kThreads / kRowThreads;
  const int64_t begin = (threadIdx.x % kRowThreads) * N, rest = begin + kPacks * kStep;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kRows + threadIdx.x / kRowThreads;
  float* const parts = a.parts + blockIdx.x * a.channels;
  BackwardPack<T, N> next[kPacks];
  float dweight[kPacks][N] = {};
  const auto load_row = [&](int64_t t) {
#pragma unroll
    for (int p = 0; p < kPacks; ++p)
      if (const int64_t c = begin + p * kStep; c < a.channels) load_backward(next[p], a, t, c);
  };
  if (first < a.tokens) load_row(first);
  int turn = 0;
  for (int64_t t = first; t < a.tokens; t += static_cast<int64_t>(gridDim.x) * kRows, turn ^= 1) {
    BackwardPack<T, N> row[kPacks];
    float sum = 0;
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
      row[p] = next[p];
      if (const int64_t c = begin + p * kStep; c < a.channels) sum += along(row[p], a.weight + c);
    }
    const float rstd = a.rstd[t];
    if (const int64_t after = t + static_cast<int64_t>(gridDim.x) * kRows; after < a.tokens) load_row(after);
    for (int64_t c = rest; kRest && c < a.channels; c += kStep) {
      BackwardPack<T, N> more;
      load_backward(more, a, t, c);
      sum += along(more, a.weight + c);
    }
    const float back = row_sum<kRowThreads>(sum, turn) * rstd * rstd * rstd / static_cast<float>(a.channels);
#pragma unroll
    for (int p = 0; p < kPacks; ++p)
      if (const int64_t c = begin + p * kStep; c < a.channels) store_backward(a, t, c, row[p], rstd, back, dweight[p]);
    for (int64_t c = rest; kRest && c < a.channels; c += kStep) {
      BackwardPack<T, N> more;
      load_backward(more, a, t, c);
      float so_far[N] = {};
      if (t > first) load_floats(so_far, parts + c);
      store_backward(a, t, c, more, rstd, back, so_far);
      store_floats(parts + c, so_far);
    }
  }
  if constexpr (kRowThreads == 32) {
    store_parts_of_warps(parts, dweight, a.channels);
  } else {
#pragma unroll
    for (int p = 0; p < kPacks; ++p)
      if (const int64_t c = begin + p * kStep; c < a.channels) store_floats(parts + c, dweight[p]);
  }
}

template <int kRowThreads_, int kPacks_, bool kRest_>
struct Layout {
  static constexpr int kRowThreads = kRowThreads_, kPacks = kPacks_;
  static constexpr bool kRest = kRest_;  // rows are wider than what registers keep
};

// Calls launch with the narrowest layout for rows of `channels`.
template <int N, class F>
void with_layout(int64_t channels, F&& launch) {
  const int64_t packs = divide_up(channels, N);
  if (packs <= 32) return launch(Layout<32, 1, false>{});
  if (packs <= 64) return launch(Layout<32, 2, false>{});
  if (packs <= 128) return launch(Layout<32, 4, false>{});
  if (packs <= 256) return launch(Layout<256, 1, false>{});
  if (packs <= 512) return launch(Layout<256, 2, false>{});
  if (packs <= 1024) return launch(Layout<256, 4, false>{});
  launch(Layout<256, 4, true>{});
}

struct IntoVector {
  float* data;
  __device__ float* operator()(int64_t channel) const { return data + channel; }
};

template <class T>
bool fits(int64_t channels, std::initializer_list<const Tensor*> tensors) {
  return channels % kFullPack<T> == 0 && whole_packs(tensors);
}

}  // namespace

void rms_norm(const RmsNormArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "rms_norm");
  const int64_t tokens = args.x.extent(0), channels = args.x.extent(1);
  if (args.x.empty()) return;
  const bool adds = !args.delta.empty();
  with_activation("rms_norm", args.x.dtype(), [&]<class T>(T) {
    const Forward<T> a{.out = rows_of<T>(args.out),
                       .sum = adds ? rows_of<T>(args.sum) : Rows<T>{},
                       .rstd = pointer_to<float>(args.rstd),
                       .x = rows_of<const T>(args.x),
                       .delta = adds ? rows_of<const T>(args.delta) : Rows<const T>{},
                       .weight = pointer_to<const float>(args.weight),
                       .tokens = tokens,
                       .channels = channels,
                       .epsilon = static_cast<float>(args.epsilon)};
    const bool packed =
        fits<T>(channels, {&args.out, &args.x, &args.weight}) && (!adds || whole_packs({&args.sum, &args.delta}));
    with_pack<T>(packed, [&](auto n) {
      with_layout<n>(channels, [&]<class L>(L) {
        const auto blocks = static_cast<unsigned>(divide_up(tokens, kThreads / L::kRowThreads));
        forward_kernel<T, n, L::kRowThreads, L::kPacks, L::kRest>
            <<<blocks, kThreads, 0, cuda_context(exec).stream()>>>(a);
      });
    });
  });
  check_launch("rms_norm");
}

void rms_norm_backward(const RmsNormBackwardArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "rms_norm_backward");
  const int64_t tokens = args.x.extent(0), channels = args.x.extent(1);
  if (args.x.empty()) return;
  const CudaContext& context = cuda_context(exec);
  const Arena::Scope scratch(*exec.arena);
  with_activation("rms_norm_backward", args.x.dtype(), [&]<class T>(T) {
    const bool packed = fits<T>(channels, {&args.dx, &args.dout, &args.x, &args.weight});
    with_pack<T>(packed, [&](auto n) {
      with_layout<n>(channels, [&]<class L>(L) {
        const int64_t blocks = std::min<int64_t>(divide_up(tokens, kThreads / L::kRowThreads),
                                                 context.multiprocessors() * kResident<L::kPacks>);
        const Tensor parts = exec.arena->tensor(DType::f32, Shape{blocks, channels});
        const Backward<T> a{.dx = rows_of<T>(args.dx),
                            .dout = rows_of<const T>(args.dout),
                            .x = rows_of<const T>(args.x),
                            .rstd = pointer_to<const float>(args.rstd),
                            .weight = pointer_to<const float>(args.weight),
                            .parts = pointer_to<float>(parts),
                            .tokens = tokens,
                            .channels = channels,
                            .accumulate = args.accumulate};
        backward_kernel<T, n, L::kRowThreads, L::kPacks, L::kRest>
            <<<static_cast<unsigned>(blocks), kThreads, 0, context.stream()>>>(a);
        add_column_sums(parts, channels, IntoVector{pointer_to<float>(args.dweight)}, context.stream());
      });
    });
  });
  check_launch("rms_norm_backward");
}

}  // namespace hyscale::kernels::cuda
