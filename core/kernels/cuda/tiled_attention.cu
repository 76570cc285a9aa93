#include <cmath>

#include "core/kernels/cuda/attention_paths.h"
#include "core/kernels/cuda/attention_tiles.h"

namespace hyscale::kernels::cuda {
namespace tiles {

Problem problem_of(const AttentionArgs& a) {
  if (a.q.extent(3) > kMaxDim || a.v.extent(3) > kMaxDim)
    throw ShapeError("attention on a GPU takes heads of up to " + std::to_string(kMaxDim) + " columns: q is " +
                     a.q.describe() + ", v is " + a.v.describe());
  const int64_t length = a.q.extent(1);
  const bool documents = !a.document_begins.empty();
  return {.sequences = static_cast<int>(a.q.extent(0)),
          .length = static_cast<int>(length),
          .heads = static_cast<int>(a.q.extent(2)),
          .kv_heads = static_cast<int>(a.k.extent(2)),
          .dim = static_cast<int>(a.q.extent(3)),
          .value_dim = static_cast<int>(a.v.extent(3)),
          .window = a.mask.window >= length ? 0 : static_cast<int>(a.mask.window),
          .sinks = static_cast<int>(std::min(a.mask.sinks, length)),
          .scale = static_cast<float>(a.scale),
          .begins = documents ? pointer_to<const int32_t>(a.document_begins) : nullptr,
          .begins_stride = documents ? a.document_begins.stride(0) : 0,
          .vectors = whole_vectors(a.q) && whole_vectors(a.k) && whole_vectors(a.v) && whole_vectors(a.out)};
}

}  // namespace tiles

namespace {

using namespace tiles;

template <class T>
struct ForwardArgs {
  Problem problem;
  HeadRows<const T> q, k, v;
  HeadRows<T> out;
  float* lse;  // [sequences, heads, length]
  int slices;  // a block computes one slice of the columns of out
};

// The running maximum and sum of a thread's two rows of queries, of powers of two.
struct OnlineSoftmax {
  float top[2] = {-INFINITY, -INFINITY};
  float sum[2] = {0.0f, 0.0f};  // of this thread's columns

  // Scores become weights relative to the new maximum; `shrink` is what the old one's are worth.
  template <int kBlocks>
  __device__ void update(float (&scores)[kBlocks][4], float (&shrink)[2]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float most = -INFINITY;
#pragma unroll
      for (int n = 0; n < kBlocks; ++n) most = fmaxf(most, fmaxf(scores[n][half * 2], scores[n][half * 2 + 1]));
      most = fmaxf(most, __shfl_xor_sync(~0u, most, 1));
      most = fmaxf(most, __shfl_xor_sync(~0u, most, 2));
      most = fmaxf(most, top[half]);
      const float base = most == -INFINITY ? 0.0f : most;  // a row that has seen nothing yet
      shrink[half] = exp2f(top[half] - base);
      top[half] = most;
      sum[half] *= shrink[half];
#pragma unroll
      for (int n = 0; n < kBlocks; ++n)
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          float& score = scores[n][half * 2 + i];
          score = exp2f(score - base);
          sum[half] += score;
        }
    }
  }
  __device__ float whole_sum(int half) const {
    const float pair = sum[half] + __shfl_xor_sync(~0u, sum[half], 1);
    return pair + __shfl_xor_sync(~0u, pair, 2);
  }
};

// Grid: (tiles of queries · sequences · heads · slices), the tiles with most keys first.
template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads) forward_kernel(const ForwardArgs<T> a) {
  constexpr int kKeys = kOtherRows<T>, kBlocks = kKeys / 8;
  extern __shared__ __align__(16) unsigned char memory[];
  const Problem& p = a.problem;
  const int tasks = p.sequences * p.heads * a.slices, task = static_cast<int>(blockIdx.x) % tasks;
  const int tile = (p.length + kOwnRows - 1) / kOwnRows - 1 - static_cast<int>(blockIdx.x) / tasks;
  const int slice = task % a.slices, head = task / a.slices % p.heads, sequence = task / a.slices / p.heads;
  const int kv_head = head / (p.heads / p.kv_heads), column = slice * kWidth, width = min(kWidth, p.value_dim - column);
  const int stride = row_stride<T>(p.dim), value_stride = row_stride<T>(kWidth), weight_stride = row_stride<T>(kKeys);
  T* const q = reinterpret_cast<T*>(memory);
  T* const k = q + kOwnRows * stride;
  T* const v = k + kKeys * stride;
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  T* const weights = v + kKeys * value_stride + warp * 16 * weight_stride;

  const Visible visible(p, sequence);
  const int query = tile * kOwnRows, first_row = query + warp * 16 + lane / 4;
  const int document[2] = {visible.document(first_row), visible.document(first_row + 8)};
  const int first_document = visible.document(query);
  load_tile<kOwnRows>(q, stride, a.q.of(sequence, head), a.q.token, query, p.length, p.dim, p.vectors);
  OnlineSoftmax softmax;
  float out[kWidth / 8][4];
  clear(out);
  const float scale = p.scale * kLog2E;
  const int end = min(query + kOwnRows, p.length);
  for (int key = first_document / kKeys * kKeys; key < end; key += kKeys) {
    if (!visible.any(query, kOwnRows, key, kKeys, first_document)) continue;
    __syncthreads();
    load_tile<kKeys>(k, stride, a.k.of(sequence, kv_head), a.k.token, key, p.length, p.dim, p.vectors);
    load_tile<kKeys>(v, value_stride, a.v.of(sequence, kv_head) + column, a.v.token, key, p.length, width, p.vectors);
    wait_for_copies();
    __syncthreads();
    float scores[kBlocks][4];
    clear(scores);
    multiply<Second::columns_as_rows>(scores, q + warp * 16 * stride, stride, k, stride, whole_blocks(p.dim), kKeys);
    const bool whole = visible.all(query, kOwnRows, key, kKeys);
#pragma unroll
    for (int n = 0; n < kBlocks; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = i / 2, at = key + n * 8 + lane % 4 * 2 + i % 2;
        const bool seen = whole || visible(first_row + row * 8, at, document[row]);
        scores[n][i] = seen ? scores[n][i] * scale : -INFINITY;
      }
    float shrink[2];
    softmax.update(scores, shrink);
#pragma unroll
    for (int n = 0; n < kWidth / 8; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) out[n][i] *= shrink[i / 2];
    store_tile(weights, weight_stride, scores);
    __syncwarp();
    multiply<Second::as_is>(out, weights, weight_stride, v, value_stride, kKeys, whole_blocks(width));
  }
  const float sum[2] = {softmax.whole_sum(0), softmax.whole_sum(1)}, inverse[2] = {1.0f / sum[0], 1.0f / sum[1]};
  store_rows(a.out.of(sequence, head) + column, a.out.token, query + warp * 16, p.length, width, out, inverse,
             p.vectors);
  if (slice != 0 || lane % 4 != 0) return;
  for (int half = 0; half < 2; ++half) {
    const int row = first_row + half * 8;
    if (row < p.length)
      a.lse[(static_cast<int64_t>(sequence) * p.heads + head) * p.length + row] =
          softmax.top[half] * kLn2 + logf(sum[half]);
  }
}

template <class T, int kWidth>
void launch_forward(const AttentionArgs& args, const Exec& exec) {
  const Problem p = problem_of(args);
  const int slices = std::max(1, static_cast<int>(divide_up(p.value_dim, kWidth)));
  const ForwardArgs<T> a{.problem = p,
                         .q = head_rows<const T>(args.q),
                         .k = head_rows<const T>(args.k),
                         .v = head_rows<const T>(args.v),
                         .out = head_rows<T>(args.out),
                         .lse = pointer_to<float>(args.lse),
                         .slices = slices};
  constexpr int64_t kKeys = kOtherRows<T>;
  const int64_t elements = (kOwnRows + kKeys) * row_stride<T>(p.dim) + kKeys * row_stride<T>(kWidth) +
                           kOwnRows * row_stride<T>(static_cast<int>(kKeys));
  const int64_t blocks = divide_up(p.length, kOwnRows) * p.sequences * p.heads * slices;
  launch<T>("attention", forward_kernel<T, kWidth>, blocks, elements, 0, a, exec);
}

}  // namespace

void tiled_attention(const AttentionArgs& args, const Exec& exec) {
  if (!args.lse.is_dense()) throw ShapeError("attention on a GPU writes dense lse");
  if (args.q.numel() == 0) return;
  with_activation("attention", args.q.dtype(), [&]<class A>(A) {
    if (args.v.extent(3) <= 64)
      launch_forward<A, 64>(args, exec);
    else
      launch_forward<A, 128>(args, exec);
  });
}

}  // namespace hyscale::kernels::cuda
