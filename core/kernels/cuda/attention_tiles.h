#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "core/kernels/attention.h"
#include "core/kernels/cuda/launch.h"

// What our own attention kernels share. A block of 4 warps holds 64 rows of its own (queries, or keys where the
// gradients of keys and values are summed) and walks over tiles of the other side; each warp computes for 16 of the 64
// rows. A thread holds of a product what tensor cores give it: in every 8 columns, columns 2·(lane mod 4) and the next
// one, in rows lane / 4 and lane / 4 + 8 of its warp.
namespace hyscale::kernels::cuda::tiles {

constexpr int kThreads = 128;
constexpr int kOwnRows = 64;
template <class T>
constexpr int kOtherRows = sizeof(T) == 2 ? 64 : 32;  // f32 at 256 columns must fit in shared memory too
template <class T>
constexpr int kVector = 16 / static_cast<int>(sizeof(T));
constexpr int kMaxDim = 256;
constexpr float kLog2E = 1.44269504088896340736f;
constexpr float kLn2 = 0.69314718055994530942f;

constexpr __host__ __device__ int whole_blocks(int width) { return (width + 15) / 16 * 16; }
/// Elements between rows of a tile in shared memory: a vector more, so that 8 rows lie in different banks.
template <class T>
constexpr __host__ __device__ int row_stride(int width) {
  return whole_blocks(width) + kVector<T>;
}

/// [sequences, length, heads, dim], unit last stride.
template <class T>
struct HeadRows {
  T* data = nullptr;
  int64_t sequence = 0, token = 0, head = 0;  // strides
  __device__ T* of(int s, int h) const { return data + s * sequence + h * head; }
};
template <class T>
HeadRows<T> head_rows(const Tensor& t) {
  return {pointer_to<T>(t), t.stride(0), t.stride(1), t.stride(2)};
}

/// Sizes and mask of one call.
struct Problem {
  int sequences = 0, length = 0, heads = 0, kv_heads = 0, dim = 0, value_dim = 0;
  int window = 0, sinks = 0;  // window 0: none
  float scale = 1;
  const int32_t* begins = nullptr;  // [sequences, length], or null
  int64_t begins_stride = 0;
  bool vectors = false;  // every row of q, k, v, out and their gradients is whole 16-byte vectors
};
/// Throws ShapeError where the kernels cannot compute.
Problem problem_of(const AttentionArgs& args);

/// Who sees whom in one sequence.
struct Visible {
  int length, window, sinks;
  const int32_t* begins;
  __device__ Visible(const Problem& p, int sequence)
      : length(p.length),
        window(p.window),
        sinks(p.sinks),
        begins(p.begins == nullptr ? nullptr : p.begins + sequence * p.begins_stride) {}
  __device__ int document(int query) const { return begins == nullptr ? 0 : begins[min(query, length - 1)]; }
  /// `document` is the query's.
  __device__ bool operator()(int query, int key, int document) const {
    return query < length && key <= query && key >= document &&
           (window == 0 || query - key < window || key - document < sinks);
  }
  /// Whether each of the queries [query, query + queries) sees each of the keys [key, key + keys).
  __device__ bool all(int query, int queries, int key, int keys) const {
    const int last = query + queries - 1;
    return last < length && key + keys - 1 <= query && (window == 0 || last - key < window) && document(last) <= key;
  }
  /// Whether some of these queries may see some of these keys; `first_document` is that of the first query.
  __device__ bool any(int query, int queries, int key, int keys, int first_document) const {
    const int last_key = key + keys - 1;
    if (key > query + queries - 1 || last_key < first_document) return false;
    if (window == 0 || query - last_key < window) return true;
    return key < first_document + sinks;
  }
};

inline __device__ void copy_vector(void* to, const void* from, bool there) {
  const auto at = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(at), "l"(from), "r"(there ? 16 : 0) : "memory");
}
inline __device__ void wait_for_copies() { asm volatile("cp.async.wait_all;\n" ::: "memory"); }

/// Rows [first, first + kRows) of a head into a tile; rows from `length` on and columns from `width` up to whole blocks
/// become zero. Call wait_for_copies before the barrier.
template <int kRows, class T>
__device__ void load_tile(T* to, int to_stride, const T* from, int64_t token_stride, int first, int length, int width,
                          bool vectors) {
  const int columns = whole_blocks(width);
  if (vectors) {
    const int per_row = columns / kVector<T>;
    for (int i = static_cast<int>(threadIdx.x); i < kRows * per_row; i += kThreads) {
      const int row = i / per_row, column = (i - row * per_row) * kVector<T>;
      const bool there = first + row < length && column < width;
      copy_vector(to + row * to_stride + column, there ? from + (first + row) * token_stride + column : from, there);
    }
    return;
  }
  for (int i = static_cast<int>(threadIdx.x); i < kRows * columns; i += kThreads) {
    const int row = i / columns, column = i - row * columns;
    const bool there = first + row < length && column < width;
    to[row * to_stride + column] = there ? from[(first + row) * token_stride + column] : from_f32<T>(0.0f);
  }
}

template <bool kTurn>
inline __device__ void load_matrices(uint32_t (&to)[4], const __nv_bfloat16* from) {
  const auto at = static_cast<uint32_t>(__cvta_generic_to_shared(from));
  if constexpr (kTurn)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(at)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(at)
                 : "memory");
}

inline __device__ void multiply_block(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};\n"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// How the second factor lies in shared memory.
enum class Second { columns_as_rows, as_is };

/// sum [16, 8 · kBlocks] += a [16, depth] · b [depth, columns], by one warp from shared memory; depth and columns are
/// multiples of 16.
template <Second kSecond, int kBlocks>
__device__ void multiply(float (&sum)[kBlocks][4], const __nv_bfloat16* a, int a_stride, const __nv_bfloat16* b,
                         int b_stride, int depth, int columns) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  a += (lane % 16) * a_stride + lane / 16 * 8;
  if constexpr (kSecond == Second::columns_as_rows)
    b += (lane % 8 + lane / 16 * 8) * b_stride + lane / 8 % 2 * 8;
  else
    b += (lane % 16) * b_stride + lane / 16 * 8;
  for (int k = 0; k < depth; k += 16) {
    uint32_t left[4];
    load_matrices<false>(left, a + k);
#pragma unroll
    for (int n = 0; n < kBlocks; n += 2) {
      if (n * 8 >= columns) continue;
      uint32_t right[4];
      if constexpr (kSecond == Second::columns_as_rows)
        load_matrices<false>(right, b + n * 8 * b_stride + k);
      else
        load_matrices<true>(right, b + k * b_stride + n * 8);
      multiply_block(sum[n], left, right[0], right[1]);
      multiply_block(sum[n + 1], left, right[2], right[3]);
    }
  }
}

template <Second kSecond, int kBlocks>
__device__ void multiply(float (&sum)[kBlocks][4], const float* a, int a_stride, const float* b, int b_stride,
                         int depth, int columns) {
  const int lane = static_cast<int>(threadIdx.x) % 32, row = lane / 4, column = lane % 4 * 2;
#pragma unroll 2
  for (int k = 0; k < depth; ++k) {
    const float upper = a[row * a_stride + k], lower = a[(row + 8) * a_stride + k];
#pragma unroll
    for (int n = 0; n < kBlocks; ++n) {
      if (n * 8 >= columns) continue;
      const int at = n * 8 + column;
      float2 right;
      if constexpr (kSecond == Second::columns_as_rows)
        right = {b[at * b_stride + k], b[(at + 1) * b_stride + k]};
      else
        right = *reinterpret_cast<const float2*>(b + k * b_stride + at);
      sum[n][0] += upper * right.x;
      sum[n][1] += upper * right.y;
      sum[n][2] += lower * right.x;
      sum[n][3] += lower * right.y;
    }
  }
}

template <int kBlocks>
__device__ void clear(float (&sum)[kBlocks][4]) {
#pragma unroll
  for (int n = 0; n < kBlocks; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) sum[n][i] = 0.0f;
}

inline __device__ void store_pair(float* to, float x, float y) { *reinterpret_cast<float2*>(to) = {x, y}; }
inline __device__ void store_pair(__nv_bfloat16* to, float x, float y) {
  *reinterpret_cast<__nv_bfloat162*>(to) = __floats2bfloat162_rn(x, y);
}

/// A warp's rows of a product into its rows of a tile in shared memory.
template <int kBlocks, class T>
__device__ void store_tile(T* to, int stride, const float (&values)[kBlocks][4]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  to += lane / 4 * stride + lane % 4 * 2;
#pragma unroll
  for (int n = 0; n < kBlocks; ++n) {
    store_pair(to + n * 8, values[n][0], values[n][1]);
    store_pair(to + 8 * stride + n * 8, values[n][2], values[n][3]);
  }
}

/// A warp's rows of a product, row i times factor[i], into rows first, first + 1, … of a head as far as `length` and
/// `width` go.
template <int kBlocks, class T>
__device__ void store_rows(T* to, int64_t token_stride, int first, int length, int width,
                           const float (&values)[kBlocks][4], const float (&factor)[2], bool vectors) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int token = first + lane / 4 + half * 8;
    if (token >= length) continue;
    T* row = to + token * token_stride;
#pragma unroll
    for (int n = 0; n < kBlocks; ++n) {
      const int column = n * 8 + lane % 4 * 2;
      const float x = values[n][half * 2] * factor[half], y = values[n][half * 2 + 1] * factor[half];
      if (vectors) {
        if (column < width) store_pair(row + column, x, y);
        continue;
      }
      if (column < width) row[column] = from_f32<T>(x);
      if (column + 1 < width) row[column + 1] = from_f32<T>(y);
    }
  }
}

/// Launches `kernel` with `elements` of T and `floats` of shared memory; blocks are counted in x alone.
template <class T, class Kernel, class Args>
void launch(const char* name, Kernel kernel, int64_t blocks, int64_t elements, int64_t floats, const Args& args,
            const Exec& exec) {
  const auto bytes = static_cast<int>(elements * static_cast<int64_t>(sizeof(T)) + floats * 4);
  if (const cudaDeviceProp& gpu = cuda_context(exec).properties(); bytes > static_cast<int>(gpu.sharedMemPerBlockOptin))
    throw ConfigError({.what = std::string(name) + ": heads this wide take " + std::to_string(bytes) +
                               " bytes of shared memory a block; the GPU offers " +
                               std::to_string(gpu.sharedMemPerBlockOptin),
                       .remedy = "use a smaller head_dim, or train.precision: bf16"});
  check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes), name);
  kernel<<<static_cast<unsigned>(blocks), kThreads, static_cast<size_t>(bytes), cuda_context(exec).stream()>>>(args);
  check_launch(name);
}

}  // namespace hyscale::kernels::cuda::tiles
