#include <algorithm>
#include <numbers>

#include "core/kernels/cuda/launch.h"
#include "core/kernels/cuda/twins.h"

namespace hyscale::kernels::cuda {
namespace {

constexpr int kMostVectors = 8;  // of 16 bytes, that a thread keeps: 32768 bf16 logits a block of 512 threads
constexpr int kSumThreads = 1024;
constexpr int64_t kLogitBytes = int64_t{512} << 20;  // of a chunk
constexpr float kLog2E = std::numbers::log2e_v<float>;

template <class T>
constexpr int kLanes = 16 / static_cast<int>(sizeof(T));

template <class T>
struct Softmax {
  T* logits;  // rows begin at multiples of 16 bytes and end in whole vectors
  int64_t stride;
  int vocabulary;
  const int32_t* targets;
  double* nll;
  float* rounded_nll;  // null: not wanted
  float scale;
  bool backward;
};

// sum · e^top; top is the largest logit.
struct LogSum {
  float top = -INFINITY;
  float sum = 0;
};

__device__ float exp2_of(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// What is subtracted from log2(e) · logit; -inf - -inf must not turn up where all logits so far vanish.
__device__ float base_of(float top) { return top == -INFINITY ? 0.0f : top * kLog2E; }
__device__ float scaled_exp(float logit, float base) { return exp2_of(fmaf(logit, kLog2E, -base)); }
__device__ float rescale(float from, float to) {
  return from == -INFINITY ? 0.0f : exp2_of(base_of(from) - base_of(to));
}

template <class T>
__device__ void unpack(uint4 vector, float (&x)[kLanes<T>]) {
  const uint32_t words[4] = {vector.x, vector.y, vector.z, vector.w};
#pragma unroll
  for (int w = 0; w < 4; ++w) {
    if constexpr (sizeof(T) == 2) {
      x[2 * w] = __uint_as_float(words[w] << 16);
      x[2 * w + 1] = __uint_as_float(words[w] & 0xFFFF0000u);
    } else {
      x[w] = __uint_as_float(words[w]);
    }
  }
}

template <class T>
__device__ uint4 pack(const float (&x)[kLanes<T>]) {
  uint32_t words[4];
#pragma unroll
  for (int w = 0; w < 4; ++w) {
    if constexpr (sizeof(T) == 2) {
      const __nv_bfloat162 pair = __floats2bfloat162_rn(x[2 * w], x[2 * w + 1]);
      words[w] = *reinterpret_cast<const uint32_t*>(&pair);
    } else {
      words[w] = __float_as_uint(x[w]);
    }
  }
  return {words[0], words[1], words[2], words[3]};
}

// The last vector of a row when `count` of its entries are logits; the rest vanishes in every sum.
template <class T>
__device__ uint4 load_partly(const T* from, int count) {
  float x[kLanes<T>];
#pragma unroll
  for (int i = 0; i < kLanes<T>; ++i) x[i] = i < count ? to_f32(from[i]) : -INFINITY;
  return pack<T>(x);
}

template <class T, int kThreads, int kVectors>
__device__ void load_tile(const T* row, int vocabulary, int first, uint4 (&tile)[kVectors]) {
  const int whole = vocabulary / kLanes<T>, rest = vocabulary % kLanes<T>;
  const uint32_t bits = sizeof(T) == 2 ? 0xFF80FF80u : 0xFF800000u;  // -inf
  const uint4 nothing{bits, bits, bits, bits};
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    const int at = first + i * kThreads;
    tile[i] = nothing;
    if (at < whole) tile[i] = reinterpret_cast<const uint4*>(row)[at];
  }
  if (rest == 0 || whole < first || (whole - first) % kThreads != 0) return;
  const uint4 end = load_partly(row + whole * kLanes<T>, rest);
#pragma unroll
  for (int i = 0; i < kVectors; ++i)
    if (first + i * kThreads == whole) tile[i] = end;
}

template <class T, int kVectors>
__device__ void add_tile(const uint4 (&tile)[kVectors], LogSum& total) {
  float x[kLanes<T>];
  float top = total.top;
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    unpack<T>(tile[i], x);
#pragma unroll
    for (int j = 0; j < kLanes<T>; ++j) top = fmaxf(top, x[j]);
  }
  const float base = base_of(top);
  float sum = total.sum * rescale(total.top, top);
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    unpack<T>(tile[i], x);
#pragma unroll
    for (int j = 0; j < kLanes<T>; ++j) sum += scaled_exp(x[j], base);
  }
  total = {top, sum};
}

// factor · e^(logit - top) in place of the logits.
template <class T, int kThreads, int kVectors>
__device__ void store_tile(T* row, int vocabulary, int first, const uint4 (&tile)[kVectors], float base, float factor) {
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    const int at = first + i * kThreads;
    if (at * kLanes<T> >= vocabulary) break;
    float x[kLanes<T>];
    unpack<T>(tile[i], x);
#pragma unroll
    for (int j = 0; j < kLanes<T>; ++j) x[j] = scaled_exp(x[j], base) * factor;
    reinterpret_cast<uint4*>(row)[at] = pack<T>(x);
  }
}

// In every lane, the same bits.
__device__ LogSum warp_total(LogSum own) {
  float top = own.top;
#pragma unroll
  for (int step = 16; step > 0; step /= 2) top = fmaxf(top, __shfl_xor_sync(~0u, top, step));
  float sum = own.sum * rescale(own.top, top);
#pragma unroll
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(~0u, sum, step);
  return {top, sum};
}

// In every thread, the same bits.
template <int kThreads>
__device__ LogSum block_total(LogSum own) {
  constexpr unsigned kWarps = kThreads / 32;
  __shared__ LogSum warps[kWarps];
  const LogSum mine = warp_total(own);
  const unsigned lane = threadIdx.x % 32;
  if (lane == 0) warps[threadIdx.x / 32] = mine;
  __syncthreads();
  return warp_total(lane < kWarps ? warps[lane] : LogSum{});
}

template <class T>
__device__ void store_nll(const Softmax<T>& a, int64_t token, double nll) {
  a.nll[token] = nll;
  if (a.rounded_nll != nullptr) a.rounded_nll[token] = static_cast<float>(nll);
}

template <int kThreads, class T>
__device__ void leave_out(const Softmax<T>& a, int64_t token, T* row) {
  if (threadIdx.x == 0) store_nll(a, token, 0);
  if (!a.backward) return;
  const int thread = static_cast<int>(threadIdx.x);
  for (int at = thread; at * kLanes<T> < a.vocabulary; at += kThreads) reinterpret_cast<uint4*>(row)[at] = {};
}

// One block per token: reads its logits once, if a tile holds them all, and leaves their gradient in their place.
template <class T, int kThreads, int kVectors>
__global__ void __launch_bounds__(kThreads, 1024 / kThreads) softmax_kernel(Softmax<T> a) {
  constexpr int kTile = kThreads * kVectors;
  const int64_t token = blockIdx.x;
  const int target = a.targets[token], thread = static_cast<int>(threadIdx.x);
  T* const row = a.logits + token * a.stride;
  if (target < 0) return leave_out<kThreads>(a, token, row);

  const bool owns_target = target / kLanes<T> % kThreads == thread, known = target < a.vocabulary;
  const float logit = owns_target && known ? to_f32(row[target]) : NAN;
  const int last = (a.vocabulary - 1) / kLanes<T> / kTile * kTile;  // tile's first vector
  uint4 tile[kVectors];
  LogSum total;
  for (int begin = 0; begin <= last; begin += kTile) {
    load_tile<T, kThreads>(row, a.vocabulary, begin + thread, tile);
    add_tile<T>(tile, total);
  }
  total = block_total<kThreads>(total);
  const float base = base_of(total.top), factor = a.scale / total.sum;
  if (a.backward)
    for (int begin = last; begin >= 0; begin -= kTile) {
      if (begin != last) load_tile<T, kThreads>(row, a.vocabulary, begin + thread, tile);
      store_tile<T, kThreads>(row, a.vocabulary, begin + thread, tile, base, factor);
    }
  if (!owns_target) return;
  if (a.backward && known) row[target] = from_f32<T>(scaled_exp(logit, base) * factor - a.scale);
  store_nll(a, token,
            static_cast<double>(base) * std::numbers::ln2 + static_cast<double>(logf(total.sum)) -
                static_cast<double>(logit));
}

// One block, so always in one order.
__global__ void __launch_bounds__(kSumThreads) add_loss_kernel(double* loss, const double* nll, int64_t tokens) {
  __shared__ double sums[kSumThreads];
  double sum = 0;
  for (int64_t t = threadIdx.x; t < tokens; t += kSumThreads) sum += nll[t];
  sums[threadIdx.x] = sum;
  for (unsigned half = kSumThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  if (threadIdx.x == 0) *loss += sums[0];
}

// Small blocks for short rows, so that many rows are on their way at once.
template <class T, int kThreads = 128, int kVectors = 1>
void launch_softmax(const Softmax<T>& softmax, int64_t tokens, cudaStream_t stream) {
  const bool holds = softmax.vocabulary <= kThreads * kVectors * kLanes<T>;
  if constexpr (kVectors < kMostVectors) {
    if (!holds) return launch_softmax<T, kThreads, 2 * kVectors>(softmax, tokens, stream);
  } else if constexpr (kThreads < 512) {
    if (!holds) return launch_softmax<T, 4 * kThreads, kVectors / 2>(softmax, tokens, stream);
  }
  softmax_kernel<T, kThreads, kVectors><<<static_cast<unsigned>(tokens), kThreads, 0, stream>>>(softmax);
  check_launch("cross_entropy");
}

// Tokens whose logits are held at once: equal shares, in whole tiles of the products.
int64_t chunk_of(int64_t tokens, int64_t bytes_per_token) {
  constexpr int64_t kUnit = 128;
  const int64_t most = std::max(kUnit, kLogitBytes / bytes_per_token / kUnit * kUnit);
  return std::min(tokens, divide_up(divide_up(tokens, divide_up(tokens, most)), kUnit) * kUnit);
}

}  // namespace

void cross_entropy(const CrossEntropyArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "cross_entropy");
  const int64_t tokens = args.x.extent(0), vocabulary = args.weight.extent(0);
  const DType dtype = args.x.dtype();
  if (tokens == 0 || vocabulary == 0) return;
  const int64_t row_bytes = row_stride(dtype, vocabulary, Device::cuda) * static_cast<int64_t>(size_of(dtype));
  const int64_t chunk = chunk_of(tokens, row_bytes);
  const bool backward = !args.dx.empty();
  const Arena::Scope scratch(*exec.arena);
  const Tensor all_logits = exec.arena->matrix(dtype, chunk, vocabulary);
  auto* const nll = pointer_to<double>(exec.arena->tensor(DType::f64, {tokens}));
  const cudaStream_t stream = cuda_context(exec).stream();
  for (int64_t begin = 0; begin < tokens; begin += chunk) {
    const int64_t count = std::min(chunk, tokens - begin);
    const Tensor logits = all_logits.slice(0, 0, count), x = args.x.slice(0, begin, count);
    gemm({.out = logits, .a = x, .b = args.weight, .transpose_b = true}, exec);
    with_activation("cross_entropy", dtype, [&]<class T>(T) {
      float* const rounded = pointer_to<float>(args.nll);
      launch_softmax<T>({.logits = pointer_to<T>(logits),
                         .stride = logits.stride(0),
                         .vocabulary = static_cast<int>(vocabulary),
                         .targets = pointer_to<const int32_t>(args.targets) + begin,
                         .nll = nll + begin,
                         .rounded_nll = rounded == nullptr ? nullptr : rounded + begin,
                         .scale = static_cast<float>(args.scale),
                         .backward = backward},
                        count, stream);
    });
    if (!backward) continue;
    gemm({.out = args.dx.slice(0, begin, count), .a = logits, .b = args.weight}, exec);
    gemm({.out = args.dweight, .a = logits, .b = x, .transpose_a = true, .accumulate = true}, exec);
  }
  if (args.loss.empty()) return;
  add_loss_kernel<<<1, kSumThreads, 0, stream>>>(pointer_to<double>(args.loss), nll, tokens);
  check_launch("cross_entropy");
}

}  // namespace hyscale::kernels::cuda
