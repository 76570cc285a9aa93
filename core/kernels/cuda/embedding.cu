#include <algorithm>
#include <bit>
#include <cub/device/device_radix_sort.cuh>

#include "core/kernels/cuda/pointwise.h"
#include "core/kernels/cuda/twins.h"

namespace hyscale::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPiece = 32;  // sorted tokens that one block adds up

template <class T, int N>
struct Gather {
  Rows<T> out;
  Rows<const T> weight;
  const int32_t* tokens;
  int64_t vocabulary;
  __device__ void operator()(int64_t row, int64_t column) const {
    const int32_t token = tokens[row];
    const bool known = token >= 0 && token < vocabulary;
    const auto pack = load_pack<N>(weight[known ? token : 0] + column);
    float values[N];
#pragma unroll
    for (int i = 0; i < N; ++i) values[i] = known ? to_f32(pack.v[i]) : __int_as_float(0x7FFFFFFF);
    store_pack(out[row] + column, values);
  }
};

// What the sort takes: tokens outside the vocabulary become the last key, and each brings its row.
__global__ void __launch_bounds__(kThreads)
    number_rows_kernel(uint32_t* keys, int32_t* rows, const int32_t* tokens, int64_t count, uint32_t vocabulary) {
  const int64_t t = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (t >= count) return;
  keys[t] = min(static_cast<uint32_t>(tokens[t]), vocabulary);
  rows[t] = static_cast<int32_t>(t);
}

// Tokens sorted by value, equal ones by row. A run is what stands beside each other with one value; pieces cut it.
struct Sorted {
  const uint32_t* keys;
  const int32_t* rows;
  int64_t count;
  uint32_t vocabulary;
  float* parts;  // [pieces, 2, channels]: sums of a piece's run that began before it, and of its run that goes on after
};

template <int N>
__device__ void add_floats(float* to, const float (&sum)[N]) {
  float value[N];
  load_floats(value, to);
#pragma unroll
  for (int i = 0; i < N; ++i) value[i] += sum[i];
  store_floats(to, value);
}

// Block (piece, strip of channels). Whole runs go to dweight, cut ones to `parts`.
template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    add_pieces_kernel(Rows<float> dweight, Rows<const T> dout, Sorted sorted, int64_t channels) {
  const int64_t column = (static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x) * N;
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * kPiece, end = min(begin + kPiece, sorted.count);
  if (column >= channels) return;
  float* const parts = sorted.parts + static_cast<int64_t>(blockIdx.x) * 2 * channels + column;
  bool entered = begin > 0 && sorted.keys[begin - 1] == sorted.keys[begin];
  float sum[N] = {};
  constexpr int kAtOnce = 4;
  for (int64_t first = begin; first < end; first += kAtOnce) {
    Pack<T, N> packs[kAtOnce];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k)
      if (first + k < end) packs[k] = load_pack<N>(dout[sorted.rows[first + k]] + column);
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) {
      const int64_t at = first + k;
      if (at >= end) break;
      const uint32_t key = sorted.keys[at];
      if (key >= sorted.vocabulary) return;
#pragma unroll
      for (int i = 0; i < N; ++i) sum[i] += to_f32(packs[k].v[i]);
      const bool goes_on = at + 1 < sorted.count && sorted.keys[at + 1] == key;
      if (goes_on && at + 1 < end) continue;
      if (entered)
        store_floats(parts, sum);
      else if (goes_on)
        store_floats(parts + channels, sum);
      else
        add_floats(dweight[key] + column, sum);
      entered = false;
#pragma unroll
      for (int i = 0; i < N; ++i) sum[i] = 0;
    }
  }
}

// Block (piece, strip): finishes the run that begins in this piece and goes on after it, in order of the pieces.
template <int N>
__global__ void __launch_bounds__(kThreads) add_cut_runs_kernel(Rows<float> dweight, Sorted sorted, int64_t channels) {
  const int64_t column = (static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x) * N;
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * kPiece, next = begin + kPiece;
  if (column >= channels || next >= sorted.count) return;
  const uint32_t key = sorted.keys[next - 1];
  if (key >= sorted.vocabulary || sorted.keys[next] != key) return;
  if (begin > 0 && sorted.keys[begin - 1] == key) return;  // began before
  const float* parts = sorted.parts + static_cast<int64_t>(blockIdx.x) * 2 * channels + column;
  float sum[N];
  load_floats(sum, parts + channels);
  for (int64_t piece = next; piece < sorted.count && sorted.keys[piece] == key; piece += kPiece) {
    parts += 2 * channels;
    float more[N];
    load_floats(more, parts);
#pragma unroll
    for (int i = 0; i < N; ++i) sum[i] += more[i];
  }
  add_floats(dweight[key] + column, sum);
}

struct Grid {
  dim3 blocks;
  unsigned threads;
};

// One block for each piece and strip of channels.
Grid grid_of(int64_t pieces, int64_t packs) {
  const int64_t threads = std::min<int64_t>(kThreads, divide_up(packs, 32) * 32);
  return {dim3(static_cast<unsigned>(pieces), static_cast<unsigned>(divide_up(packs, threads))),
          static_cast<unsigned>(threads)};
}

// Stable, so equal tokens stay in the order of their rows.
Sorted sort_tokens(const Tensor& tokens, int64_t vocabulary, const Exec& exec) {
  const cudaStream_t stream = cuda_context(exec).stream();
  const int64_t count = tokens.extent(0);
  const Tensor scratch = exec.arena->tensor(DType::i32, {4, count});
  auto* const keys = reinterpret_cast<uint32_t*>(scratch.as<int32_t>());
  int32_t* const rows = scratch.as<int32_t>() + 2 * count;
  const auto last = static_cast<uint32_t>(vocabulary);
  number_rows_kernel<<<static_cast<unsigned>(divide_up(count, kThreads)), kThreads, 0, stream>>>(
      keys, rows, pointer_to<const int32_t>(tokens), count, last);
  const auto sort = [&](void* memory, size_t& bytes) {
    check_cuda(
        cub::DeviceRadixSort::SortPairs(memory, bytes, keys, keys + count, rows, rows + count, static_cast<int>(count),
                                        0, static_cast<int>(std::bit_width(last)), stream),
        "sorting tokens");
  };
  size_t bytes = 0;
  sort(nullptr, bytes);
  sort(exec.arena->tensor(DType::i32, {static_cast<int64_t>(bytes / 4 + 1)}).data(), bytes);
  return {.keys = keys + count, .rows = rows + count, .count = count, .vocabulary = last, .parts = nullptr};
}

}  // namespace

void embedding(const EmbeddingArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "embedding");
  const int64_t channels = args.out.extent(1);
  with_activation("embedding", args.out.dtype(), [&]<class T>(T) {
    with_pack<T>(channels % kFullPack<T> == 0 && whole_packs({&args.out, &args.weight}), [&](auto n) {
      pointwise<n>("embedding", args.out.extent(0), channels, exec,
                   Gather<T, n>{rows_of<T>(args.out), rows_of<const T>(args.weight),
                                pointer_to<const int32_t>(args.tokens), args.weight.extent(0)});
    });
  });
}

void embedding_backward(const EmbeddingBackwardArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "embedding_backward");
  if (args.dout.empty()) return;
  const cudaStream_t stream = cuda_context(exec).stream();
  const int64_t channels = args.dout.extent(1), pieces = divide_up(args.dout.extent(0), kPiece);
  const Arena::Scope scope(*exec.arena);
  Sorted sorted = sort_tokens(args.tokens, args.dweight.extent(0), exec);
  sorted.parts = pointer_to<float>(exec.arena->tensor(DType::f32, {pieces, 2, channels}));
  const auto dweight = rows_of<float>(args.dweight);
  with_activation("embedding_backward", args.dout.dtype(), [&]<class T>(T) {
    const bool packed = channels % kFullPack<T> == 0 && whole_packs({&args.dout, &args.dweight});
    with_pack<T>(packed, [&](auto n) {
      const Grid grid = grid_of(pieces, channels / n);
      add_pieces_kernel<T, n>
          <<<grid.blocks, grid.threads, 0, stream>>>(dweight, rows_of<const T>(args.dout), sorted, channels);
      add_cut_runs_kernel<n><<<grid.blocks, grid.threads, 0, stream>>>(dweight, sorted, channels);
    });
  });
  check_launch("embedding_backward");
}

}  // namespace hyscale::kernels::cuda
