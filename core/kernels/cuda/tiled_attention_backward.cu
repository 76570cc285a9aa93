#include <cmath>

#include "core/kernels/cuda/attention_paths.h"
#include "core/kernels/cuda/attention_tiles.h"

namespace hyscale::kernels::cuda {
namespace {

using namespace tiles;

template <class T>
struct BackwardArgs {
  Problem problem;
  HeadRows<const T> q, k, v, out, dout;
  HeadRows<T> dq, dk, dv;
  const float* lse;  // [sequences, heads, length]
  float* along;      // [sequences, heads, length]  out · dout
  int slices;        // a block computes one slice of the columns of its gradients
};

// One warp per query of one head.
template <class T>
__global__ void __launch_bounds__(kThreads) along_kernel(const BackwardArgs<T> a) {
  const Problem& p = a.problem;
  const int64_t task = static_cast<int64_t>(blockIdx.x) * (kThreads / 32) + threadIdx.x / 32;
  if (task >= static_cast<int64_t>(p.sequences) * p.heads * p.length) return;
  const auto head = static_cast<int>(task % p.heads);
  const int64_t row = task / p.heads, token = row % p.length;
  const auto sequence = static_cast<int>(row / p.length);
  const T* const out = a.out.of(sequence, head) + token * a.out.token;
  const T* const dout = a.dout.of(sequence, head) + token * a.dout.token;
  float sum = 0;
  for (int c = static_cast<int>(threadIdx.x) % 32; c < p.value_dim; c += 32) sum += to_f32(out[c]) * to_f32(dout[c]);
#pragma unroll
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(~0u, sum, step);
  if (threadIdx.x % 32 == 0) a.along[(static_cast<int64_t>(sequence) * p.heads + head) * p.length + token] = sum;
}

// What a block finds in its shared memory: tiles of its own 64 rows and of the other side's.
template <class T>
struct SharedTiles {
  int stride, value_stride;
  T *own, *own_values, *other, *other_values, *rest;
  __device__ SharedTiles(unsigned char* memory, const Problem& p)
      : stride(row_stride<T>(p.dim)),
        value_stride(row_stride<T>(p.value_dim)),
        own(reinterpret_cast<T*>(memory)),
        own_values(own + kOwnRows * stride),
        other(own_values + kOwnRows * value_stride),
        other_values(other + kOtherRows<T> * stride),
        rest(other_values + kOtherRows<T> * value_stride) {}
};
template <class T>
int64_t shared_elements(const Problem& p) {
  return (kOwnRows + kOtherRows<T>)*static_cast<int64_t>(row_stride<T>(p.dim) + row_stride<T>(p.value_dim));
}

// Grid as forward's. Own rows: queries (q, dout); the other side: keys (k, v).
template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads) query_kernel(const BackwardArgs<T> a) {
  constexpr int kKeys = kOtherRows<T>, kBlocks = kKeys / 8;
  extern __shared__ __align__(16) unsigned char memory[];
  const Problem& p = a.problem;
  const SharedTiles<T> s(memory, p);
  const int tasks = p.sequences * p.heads * a.slices, task = static_cast<int>(blockIdx.x) % tasks;
  const int tile = (p.length + kOwnRows - 1) / kOwnRows - 1 - static_cast<int>(blockIdx.x) / tasks;
  const int slice = task % a.slices, head = task / a.slices % p.heads, sequence = task / a.slices / p.heads;
  const int kv_head = head / (p.heads / p.kv_heads), column = slice * kWidth, width = min(kWidth, p.dim - column);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int steps_stride = row_stride<T>(kKeys);
  T* const steps = s.rest + warp * 16 * steps_stride;

  const Visible visible(p, sequence);
  const int query = tile * kOwnRows, first_row = query + warp * 16 + lane / 4, first_document = visible.document(query);
  int document[2];
  float lse[2], along[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = min(first_row + half * 8, p.length - 1);
    const int64_t at = (static_cast<int64_t>(sequence) * p.heads + head) * p.length + row;
    document[half] = visible.document(row);
    lse[half] = a.lse[at] * kLog2E;
    along[half] = a.along[at];
  }
  load_tile<kOwnRows>(s.own, s.stride, a.q.of(sequence, head), a.q.token, query, p.length, p.dim, p.vectors);
  load_tile<kOwnRows>(s.own_values, s.value_stride, a.dout.of(sequence, head), a.dout.token, query, p.length,
                      p.value_dim, p.vectors);
  float dq[kWidth / 8][4];
  clear(dq);
  const float scale = p.scale * kLog2E;
  const int end = min(query + kOwnRows, p.length);
  for (int key = first_document / kKeys * kKeys; key < end; key += kKeys) {
    if (!visible.any(query, kOwnRows, key, kKeys, first_document)) continue;
    __syncthreads();
    load_tile<kKeys>(s.other, s.stride, a.k.of(sequence, kv_head), a.k.token, key, p.length, p.dim, p.vectors);
    load_tile<kKeys>(s.other_values, s.value_stride, a.v.of(sequence, kv_head), a.v.token, key, p.length, p.value_dim,
                     p.vectors);
    wait_for_copies();
    __syncthreads();
    float scores[kBlocks][4], ds[kBlocks][4];
    clear(scores);
    clear(ds);
    multiply<Second::columns_as_rows>(scores, s.own + warp * 16 * s.stride, s.stride, s.other, s.stride,
                                      whole_blocks(p.dim), kKeys);
    multiply<Second::columns_as_rows>(ds, s.own_values + warp * 16 * s.value_stride, s.value_stride, s.other_values,
                                      s.value_stride, whole_blocks(p.value_dim), kKeys);
    const bool whole = visible.all(query, kOwnRows, key, kKeys);
#pragma unroll
    for (int n = 0; n < kBlocks; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int half = i / 2, at = key + n * 8 + lane % 4 * 2 + i % 2;
        const bool seen = whole || visible(first_row + half * 8, at, document[half]);
        const float weight = seen ? exp2f(scores[n][i] * scale - lse[half]) : 0.0f;
        ds[n][i] = weight * (ds[n][i] - along[half]) * p.scale;
      }
    store_tile(steps, steps_stride, ds);
    __syncwarp();
    multiply<Second::as_is>(dq, steps, steps_stride, s.other + column, s.stride, kKeys, whole_blocks(width));
  }
  const float one[2] = {1.0f, 1.0f};
  store_rows(a.dq.of(sequence, head) + column, a.dq.token, query + warp * 16, p.length, width, dq, one, p.vectors);
}

// Grid: (tiles of keys · sequences · key heads · slices), the tiles with most queries first. Own rows: keys (k, v); the
// other side: queries (q, dout) of each query head in turn.
template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads, kWidth > 64 ? 2 : 3) key_kernel(const BackwardArgs<T> a) {
  constexpr int kQueries = kOtherRows<T>, kBlocks = kQueries / 8;
  extern __shared__ __align__(16) unsigned char memory[];
  const Problem& p = a.problem;
  const SharedTiles<T> s(memory, p);
  const int tasks = p.sequences * p.kv_heads * a.slices, task = static_cast<int>(blockIdx.x) % tasks;
  const int tile = static_cast<int>(blockIdx.x) / tasks, slice = task % a.slices;
  const int kv_head = task / a.slices % p.kv_heads, sequence = task / a.slices / p.kv_heads;
  const int group = p.heads / p.kv_heads, column = slice * kWidth;
  const int width = min(kWidth, p.dim - column), value_width = min(kWidth, p.value_dim - column);  // may be negative
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int weight_stride = row_stride<T>(kQueries);
  T* const weights = s.rest + warp * 16 * weight_stride;
  T* const steps = weights + kOwnRows * weight_stride;
  auto* const lse = reinterpret_cast<float*>(s.rest + 2 * kOwnRows * weight_stride);
  float* const along = lse + kQueries;
  auto* const document = reinterpret_cast<int*>(along + kQueries);

  const Visible visible(p, sequence);
  const int key = tile * kOwnRows, last_key = min(key + kOwnRows, p.length) - 1, first_row = key + warp * 16 + lane / 4;
  load_tile<kOwnRows>(s.own, s.stride, a.k.of(sequence, kv_head), a.k.token, key, p.length, p.dim, p.vectors);
  load_tile<kOwnRows>(s.own_values, s.value_stride, a.v.of(sequence, kv_head), a.v.token, key, p.length, p.value_dim,
                      p.vectors);
  float dk[kWidth / 8][4], dv[kWidth / 8][4];
  clear(dk);
  clear(dv);
  const float scale = p.scale * kLog2E;
  for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    const int64_t row = (static_cast<int64_t>(sequence) * p.heads + head) * p.length;
    for (int query = key; query < p.length; query += kQueries) {
      const int first_document = visible.document(query);
      if (first_document > last_key) break;  // another document, and all that follow
      if (p.window > 0 && query - last_key >= p.window) {
        if (p.sinks == 0) break;
        const int later_document = min(visible.document(query + kQueries - 1), last_key);
        if (later_document + p.sinks <= key) continue;
      }
      __syncthreads();
      load_tile<kQueries>(s.other, s.stride, a.q.of(sequence, head), a.q.token, query, p.length, p.dim, p.vectors);
      load_tile<kQueries>(s.other_values, s.value_stride, a.dout.of(sequence, head), a.dout.token, query, p.length,
                          p.value_dim, p.vectors);
      if (static_cast<int>(threadIdx.x) < kQueries) {
        const int at = min(query + static_cast<int>(threadIdx.x), p.length - 1);
        lse[threadIdx.x] = a.lse[row + at] * kLog2E;
        along[threadIdx.x] = a.along[row + at];
        document[threadIdx.x] = visible.document(at);
      }
      wait_for_copies();
      __syncthreads();
      float scores[kBlocks][4], ds[kBlocks][4];
      clear(scores);
      clear(ds);
      multiply<Second::columns_as_rows>(scores, s.own + warp * 16 * s.stride, s.stride, s.other, s.stride,
                                        whole_blocks(p.dim), kQueries);
      multiply<Second::columns_as_rows>(ds, s.own_values + warp * 16 * s.value_stride, s.value_stride, s.other_values,
                                        s.value_stride, whole_blocks(p.value_dim), kQueries);
      const bool whole = visible.all(query, kQueries, key, kOwnRows);
#pragma unroll
      for (int n = 0; n < kBlocks; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int at = n * 8 + lane % 4 * 2 + i % 2;
          const bool seen = whole || visible(query + at, first_row + i / 2 * 8, document[at]);
          const float weight = seen ? exp2f(scores[n][i] * scale - lse[at]) : 0.0f;
          scores[n][i] = weight;
          ds[n][i] = weight * (ds[n][i] - along[at]) * p.scale;
        }
      store_tile(weights, weight_stride, scores);
      store_tile(steps, weight_stride, ds);
      __syncwarp();
      multiply<Second::as_is>(dv, weights, weight_stride, s.other_values + column, s.value_stride, kQueries,
                              whole_blocks(max(value_width, 0)));
      multiply<Second::as_is>(dk, steps, weight_stride, s.other + column, s.stride, kQueries,
                              whole_blocks(max(width, 0)));
    }
  }
  const float one[2] = {1.0f, 1.0f};
  const int first = key + warp * 16;
  store_rows(a.dk.of(sequence, kv_head) + column, a.dk.token, first, p.length, width, dk, one, p.vectors);
  store_rows(a.dv.of(sequence, kv_head) + column, a.dv.token, first, p.length, value_width, dv, one, p.vectors);
}

template <class T, int kWidth>
void launch_backward(const BackwardArgs<T>& given, const Exec& exec) {
  BackwardArgs<T> a = given;
  const Problem& p = a.problem;
  const int64_t queries = static_cast<int64_t>(p.sequences) * p.heads * p.length;
  along_kernel<T>
      <<<static_cast<unsigned>(divide_up(queries, kThreads / 32)), kThreads, 0, cuda_context(exec).stream()>>>(a);
  check_launch("attention_backward");
  const int64_t tiles = divide_up(p.length, kOwnRows), product = kOwnRows * row_stride<T>(kOtherRows<T>);
  a.slices = std::max(1, static_cast<int>(divide_up(p.dim, kWidth)));
  launch<T>("attention_backward", query_kernel<T, kWidth>, tiles * p.sequences * p.heads * a.slices,
            shared_elements<T>(p) + product, 0, a, exec);
  a.slices = std::max(a.slices, static_cast<int>(divide_up(p.value_dim, kWidth)));
  launch<T>("attention_backward", key_kernel<T, kWidth>, tiles * p.sequences * p.kv_heads * a.slices,
            shared_elements<T>(p) + 2 * product, 3 * kOtherRows<T>, a, exec);
}

}  // namespace

void tiled_attention_backward(const AttentionBackwardArgs& args, const Exec& exec) {
  const AttentionArgs& saved = args.saved;
  if (!saved.lse.is_dense()) throw ShapeError("attention on a GPU reads dense lse");
  if (saved.q.numel() == 0) return;
  const Arena::Scope scope(*exec.arena);
  const Tensor along = exec.arena->tensor(DType::f32, saved.lse.shape());
  Problem problem = problem_of(saved);
  problem.vectors = problem.vectors && whole_vectors(args.dq) && whole_vectors(args.dk) && whole_vectors(args.dv) &&
                    whole_vectors(args.dout);
  with_activation("attention_backward", saved.q.dtype(), [&]<class A>(A) {
    const BackwardArgs<A> a{.problem = problem,
                            .q = head_rows<const A>(saved.q),
                            .k = head_rows<const A>(saved.k),
                            .v = head_rows<const A>(saved.v),
                            .out = head_rows<const A>(saved.out),
                            .dout = head_rows<const A>(args.dout),
                            .dq = head_rows<A>(args.dq),
                            .dk = head_rows<A>(args.dk),
                            .dv = head_rows<A>(args.dv),
                            .lse = pointer_to<const float>(saved.lse),
                            .along = pointer_to<float>(along),
                            .slices = 1};
    if (std::max(problem.dim, problem.value_dim) <= 64)
      launch_backward<A, 64>(a, exec);
    else
      launch_backward<A, 128>(a, exec);
  });
}

}  // namespace hyscale::kernels::cuda
