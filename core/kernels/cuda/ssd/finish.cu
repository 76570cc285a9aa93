// What the parts of a scan's gradients add up to: dt_raw, b, c, and the parameters.
#include "core/kernels/cuda/ssd/sizes.h"

namespace hyscale::kernels::cuda::ssd {
namespace {

constexpr unsigned kAll = 0xffffffffU;
constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int kHeads = 32;  // of one block of threads

inline __device__ float sum_of_warp(float v) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) v += __shfl_xor_sync(kAll, v, step);
  return v;
}

struct TokenArgs {
  Sizes s;
  Decays decays;
  BackwardScratch parts;
  const float* a_log;
};

/// dlog[i]: the gradients of the log decays of a lane's `Each` tokens, next to each other. They get what comes from the
/// outputs behind a token and the inputs before it.
template <int Each>
__device__ void add_ends(float (&dlog)[Each], const float* from_start, const float* to_end) {
  const int lane = static_cast<int>(threadIdx.x) & 31;
  float behind[Each], before[Each], later = 0, earlier = 0;
#pragma unroll
  for (int i = Each - 1; i >= 0; --i) behind[i] = later += from_start[lane * Each + i];
#pragma unroll
  for (int i = 0; i < Each; ++i) before[i] = earlier, earlier += to_end[lane * Each + i];
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const float down = __shfl_down_sync(kAll, later, step), up = __shfl_up_sync(kAll, earlier, step);
    if (lane + step < 32) later += down;
    if (lane >= step) earlier += up;
  }
  const float down = __shfl_down_sync(kAll, later, 1), up = __shfl_up_sync(kAll, earlier, 1);
#pragma unroll
  for (int i = 0; i < Each; ++i)
    dlog[i] += (behind[i] + (lane < 31 ? down : 0.0F)) + (before[i] + (lane > 0 ? up : 0.0F));
}

/// One warp's work on one head of one chunk: the gradients of dt_raw to `out`, kHeads + 1 apart, and three sums.
template <int Each>
__device__ void finish_head(const TokenArgs& args, int64_t sequence, int head, int chunk, float* out) {
  const Sizes& s = args.s;
  const int lane = static_cast<int>(threadIdx.x) & 31;
  const int64_t block = s.block(sequence, head, chunk), first = block * s.chunk;
  const float through = sum_of_warp(lane < kParts ? args.parts.through[block * kParts + lane] : 0);
  const float skip = sum_of_warp(lane < kParts ? args.parts.skip[block * kParts + lane] : 0);
  float dlog[Each];
#pragma unroll
  for (int i = 0; i < Each; ++i) dlog[i] = args.parts.inside[first + lane * Each + i] + through;
  add_ends(dlog, args.parts.from_start + first, args.parts.to_end + first);
  const float a = -expf(args.a_log[head]);
  float of_a = 0, of_bias = 0;
#pragma unroll
  for (int i = 0; i < Each; ++i) {
    const int t = lane * Each + i;
    const float dt = args.decays.dt[first + t];
    const float slope = -expm1f(-dt);  // softplus' = sigmoid = 1 - e^-softplus
    const float raw = (a * dlog[i] + args.parts.input[first + t]) * slope;
    of_bias += raw;
    of_a += dlog[i] * dt;
    out[t * (kHeads + 1)] = raw;
  }
  of_a = sum_of_warp(of_a), of_bias = sum_of_warp(of_bias);
  if (lane != 0) return;
  const int64_t each = s.sequences * s.chunks, at = sequence * s.chunks + chunk;
  args.parts.sums[head * each + at] = of_a;
  args.parts.sums[(s.heads + head) * each + at] = of_bias;
  args.parts.sums[(2 * s.heads + head) * each + at] = skip;
}

template <int Each, class T>
__global__ void __launch_bounds__(kThreads) token_kernel(TokenArgs args, Rows<T> ddt_raw, int columns) {
  __shared__ float raw[Each * 32][kHeads + 1];
  const Sizes& s = args.s;
  const int64_t sequence = blockIdx.x / s.chunks;
  const int chunk = static_cast<int>(blockIdx.x % s.chunks), first = static_cast<int>(blockIdx.y) * kHeads;
  for (int h = static_cast<int>(threadIdx.x) >> 5; h < kHeads && first + h < s.heads; h += kWarps)
    finish_head<Each>(args, sequence, first + h, chunk, &raw[0][h]);
  __syncthreads();
  const int count = s.count(chunk);
  for (int i = static_cast<int>(threadIdx.x); i < count * kHeads; i += kThreads) {
    const int t = i / kHeads, h = i % kHeads;
    if (first + h < columns)
      ddt_raw[s.row(sequence, chunk) + t][first + h] = from_f32<T>(first + h < s.heads ? raw[t][h] : 0.0F);
  }
}

/// Rows of db (y 0) or dc (y 1): sums over the slots, `Each` entries next to each other at a time.
constexpr int kRowsOfBlock = 32;
template <int Each, class T>
__global__ void __launch_bounds__(kThreads)
    share_kernel(BackwardScratch parts, int64_t tokens, int width, Rows<T> db, Rows<T> dc) {
  const bool first = blockIdx.y == 0;
  const int slots = first ? parts.db_slots : parts.dc_slots, units = width / Each;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kRowsOfBlock, size = tokens * width;
  const int count = static_cast<int>(min(tokens - row, static_cast<int64_t>(kRowsOfBlock))) * units;
  const float* const from = (first ? parts.db : parts.dc) + row * width;
  const Rows<T> to = first ? db : dc;
#pragma unroll 2
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads) {
    float sum[Each] = {};
    for (int slot = 0; slot < slots; ++slot) {
      float one[Each];
      if constexpr (Each == 4)
        *reinterpret_cast<float4*>(one) = reinterpret_cast<const float4*>(from + slot * size)[i];
      else
        one[0] = from[slot * size + i];
#pragma unroll
      for (int e = 0; e < Each; ++e) sum[e] += one[e];
    }
    T* const at = to[row + i / units] + i % units * Each;
#pragma unroll
    for (int e = 0; e < Each; ++e) at[e] = from_f32<T>(sum[e]);
  }
}

/// One block of threads for each head and parameter.
__global__ void __launch_bounds__(kThreads)
    parameter_kernel(const float* sums, int64_t each, int heads, const float* a_log, float* da_log, float* dbias,
                     float* dd) {
  __shared__ double partial[kWarps];
  const int head = static_cast<int>(blockIdx.x), which = static_cast<int>(blockIdx.y);
  const float* const from = sums + (static_cast<int64_t>(which) * heads + head) * each;
  double sum = 0;
  for (int64_t i = threadIdx.x; i < each; i += kThreads) sum += from[i];
#pragma unroll
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(kAll, sum, step);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  sum = 0;
  for (int i = 0; i < kWarps; ++i) sum += partial[i];
  if (which == 0) sum *= -expf(a_log[head]);
  (which == 0 ? da_log : which == 1 ? dbias : dd)[head] += static_cast<float>(sum);
}

template <class T>
void launch_tokens(const TokenArgs& args, const Tensor& ddt_raw, cudaStream_t stream) {
  const auto columns = static_cast<int>(ddt_raw.extent(1));
  const dim3 grid(static_cast<unsigned>(args.s.sequences * args.s.chunks),
                  static_cast<unsigned>(divide_up(columns, kHeads)));
  if (args.s.chunk == 128)
    token_kernel<4><<<grid, kThreads, 0, stream>>>(args, rows_of<T>(ddt_raw), columns);
  else
    token_kernel<2><<<grid, kThreads, 0, stream>>>(args, rows_of<T>(ddt_raw), columns);
}

}  // namespace

void finish(const Sizes& sizes, const SsdInputs& in, const Decays& decays, const BackwardScratch& scratch,
            const SsdGradients& gradients, cudaStream_t stream) {
  const auto* const a_log = pointer_to<const float>(in.a_log);
  with_activation("ssd", gradients.dt_raw.dtype(), [&]<class T>(T) {
    launch_tokens<T>({sizes, decays, scratch, a_log}, gradients.dt_raw, stream);
  });
  const int width = sizes.groups * sizes.d_state;
  const int64_t tokens = sizes.sequences * sizes.length;
  const dim3 grid(static_cast<unsigned>(divide_up(tokens, kRowsOfBlock)), 2);
  with_activation("ssd", gradients.b.dtype(), [&]<class T>(T) {
    const Rows<T> db = rows_of<T>(gradients.b), dc = rows_of<T>(gradients.c);
    if (width % 4 == 0)
      share_kernel<4><<<grid, kThreads, 0, stream>>>(scratch, tokens, width, db, dc);
    else
      share_kernel<1><<<grid, kThreads, 0, stream>>>(scratch, tokens, width, db, dc);
  });
  parameter_kernel<<<dim3(static_cast<unsigned>(sizes.heads), 3), kThreads, 0, stream>>>(
      scratch.sums, sizes.sequences * sizes.chunks, sizes.heads, a_log, pointer_to<float>(gradients.a_log),
      pointer_to<float>(gradients.dt_bias), pointer_to<float>(gradients.d));
  check_launch("ssd finish");
}

}  // namespace hyscale::kernels::cuda::ssd
