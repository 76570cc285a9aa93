#include <algorithm>

#include "core/kernels/cuda/column_sums.h"
#include "core/kernels/cuda/pointwise.h"
#include "core/kernels/cuda/row_sum.h"
#include "core/kernels/cuda/twins.h"

namespace hyscale::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kBlocksPerMultiprocessor = 8;

// What factors entry (row, column … column + N - 1) is multiplied by.
struct Factor {
  const float* data = nullptr;  // null: 1
  int64_t row_stride = 0;       // 0: the same for all tokens
  bool per_channel = false;
  float sign = 1;

  template <int N>
  __device__ void load(float (&scale)[N], int64_t row, int64_t column) const {
    if (per_channel) {
      load_floats(scale, data + column);
    } else {
      const float whole = data == nullptr ? 1.0f : data[row * row_stride];
#pragma unroll
      for (int i = 0; i < N; ++i) scale[i] = whole;
    }
#pragma unroll
    for (int i = 0; i < N; ++i) scale[i] *= sign;
  }
};

Factor factor_of(const Tensor& factor, double sign) {
  Factor f{.sign = static_cast<float>(sign)};
  if (factor.empty()) return f;
  f.data = pointer_to<const float>(factor);
  f.row_stride = factor.extent(0) > 1 ? factor.stride(0) : 0;
  f.per_channel = factor.extent(1) > 1;
  return f;
}

// A factor per token is read entry by entry.
bool factor_fits(const Tensor& factor) { return factor.empty() || factor.extent(1) == 1 || whole_packs({&factor}); }

template <class T, int N, bool kAccumulate>
struct Scale {
  Rows<T> out;
  Rows<const T> x;
  Factor factor;
  __device__ void operator()(int64_t row, int64_t column) const {
    const auto from = load_pack<N>(x[row] + column);
    Pack<T, N> old{};
    if constexpr (kAccumulate) old = load_pack<N>(out[row] + column);
    float result[N];
    factor.load(result, row, column);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      result[i] *= to_f32(from.v[i]);
      if constexpr (kAccumulate) result[i] += to_f32(old.v[i]);
    }
    store_pack(out[row] + column, result);
  }
};

template <class T>
struct BackwardRows {
  Rows<T> dx;
  Rows<const T> dout, x;
  Factor factor;
  int64_t tokens, channels;
};

// dx, and dout ⊙ x of N entries added to `sum`.
template <int N, class T>
__device__ void backward_pack(const BackwardRows<T>& a, int64_t row, int64_t column, const Pack<T, N>& dout,
                              const Pack<T, N>& x, float (&sum)[N]) {
  float result[N];
  a.factor.load(result, row, column);
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const float d = to_f32(dout.v[i]);
    sum[i] += d * to_f32(x.v[i]);
    result[i] *= d;
  }
  store_pack(a.dx[row] + column, result);
}

// A factor per channel: block x takes tokens x, x + gridDim.x …, each thread N channels of them; `parts` [gridDim.x,
// channels] gets the sums.
template <class T, int N>
__global__ void __launch_bounds__(kThreads) backward_by_channel_kernel(BackwardRows<T> a, float* parts) {
  const int64_t column = (static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x) * N;
  if (column >= a.channels) return;
  float sum[N] = {};
  constexpr int kAtOnce = 4;
  for (int64_t first = blockIdx.x; first < a.tokens; first += kAtOnce * static_cast<int64_t>(gridDim.x)) {
    Pack<T, N> dout[kAtOnce], x[kAtOnce];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) {
      const int64_t row = first + k * static_cast<int64_t>(gridDim.x);
      if (row < a.tokens) dout[k] = load_pack<N>(a.dout[row] + column), x[k] = load_pack<N>(a.x[row] + column);
    }
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) {
      const int64_t row = first + k * static_cast<int64_t>(gridDim.x);
      if (row < a.tokens) backward_pack(a, row, column, dout[k], x[k], sum);
    }
  }
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] *= a.factor.sign;
  store_floats(parts + blockIdx.x * a.channels + column, sum);
}

// A factor per token, or one for all: a warp takes whole rows. `parts` [gridDim.x] gets the sum over a block's rows, or
// is null and each row's goes to `dfactor`.
template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    backward_by_row_kernel(BackwardRows<T> a, Rows<float> dfactor, float* parts) {
  constexpr int kWarps = kThreads / 32;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float of_rows = 0;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * kWarps + warp; row < a.tokens;
       row += static_cast<int64_t>(gridDim.x) * kWarps) {
    float sum[N] = {};
#pragma unroll 4
    for (int64_t column = lane * N; column < a.channels; column += 32 * N)
      backward_pack(a, row, column, load_pack<N>(a.dout[row] + column), load_pack<N>(a.x[row] + column), sum);
    float whole = 0;
#pragma unroll
    for (int i = 0; i < N; ++i) whole += sum[i];
    whole = a.factor.sign * warp_sum(whole);
    of_rows += whole;
    if (parts == nullptr && lane == 0) *dfactor[row] += whole;
  }
  if (parts == nullptr) return;
  __shared__ float of_warp[kWarps];
  if (lane == 0) of_warp[warp] = of_rows;
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (int w = 1; w < kWarps; ++w) of_rows += of_warp[w];
  parts[blockIdx.x] = of_rows;
}

struct IntoRow {
  float* row;
  __device__ float* operator()(int64_t column) const { return row + column; }
};

template <class T, int N>
void by_channel(const BackwardRows<T>& rows, const Tensor& dfactor, const Exec& exec) {
  const CudaContext& context = cuda_context(exec);
  const int64_t packs = rows.channels / N, threads = std::min<int64_t>(kThreads, divide_up(packs, 32) * 32);
  const int64_t blocks = std::min<int64_t>(rows.tokens, context.multiprocessors() * kBlocksPerMultiprocessor);
  const Tensor parts = exec.arena->tensor(DType::f32, Shape{blocks, rows.channels});
  const dim3 grid(static_cast<unsigned>(blocks), static_cast<unsigned>(divide_up(packs, threads)));
  backward_by_channel_kernel<T, N>
      <<<grid, static_cast<unsigned>(threads), 0, context.stream()>>>(rows, pointer_to<float>(parts));
  add_column_sums(parts, rows.channels, IntoRow{pointer_to<float>(dfactor)}, context.stream());
}

template <class T, int N>
void by_row(const BackwardRows<T>& rows, const Tensor& dfactor, bool one, const Exec& exec) {
  const CudaContext& context = cuda_context(exec);
  const int64_t blocks =
      std::min<int64_t>(divide_up(rows.tokens, kThreads / 32), context.multiprocessors() * kBlocksPerMultiprocessor);
  const Tensor parts = one ? exec.arena->tensor(DType::f32, Shape{blocks, 1}) : Tensor();
  backward_by_row_kernel<T, N><<<static_cast<unsigned>(blocks), kThreads, 0, context.stream()>>>(
      rows, rows_of<float>(dfactor), pointer_to<float>(parts));
  if (one) add_column_sums(parts, 1, IntoRow{pointer_to<float>(dfactor)}, context.stream());
}

}  // namespace

void scale_rows(const ScaleRowsArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "scale_rows");
  const int64_t tokens = args.out.extent(0), channels = args.out.extent(1);
  const Factor factor = factor_of(args.factor, args.sign);
  with_activation("scale_rows", args.out.dtype(), [&]<class T>(T) {
    const bool packed = channels % kFullPack<T> == 0 && whole_packs({&args.out, &args.x}) && factor_fits(args.factor);
    with_pack<T>(packed, [&](auto n) {
      const auto out = rows_of<T>(args.out);
      const auto x = rows_of<const T>(args.x);
      if (args.accumulate)
        pointwise<n>("scale_rows", tokens, channels, exec, Scale<T, n, true>{out, x, factor});
      else
        pointwise<n>("scale_rows", tokens, channels, exec, Scale<T, n, false>{out, x, factor});
    });
  });
}

void scale_rows_backward(const ScaleRowsBackwardArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "scale_rows_backward");
  if (args.factor.empty()) return scale_rows({.out = args.dx, .x = args.dout, .factor = {}, .sign = args.sign}, exec);
  const int64_t tokens = args.dout.extent(0), channels = args.dout.extent(1);
  if (args.dout.empty()) return;
  const Arena::Scope scratch(*exec.arena);
  with_activation("scale_rows_backward", args.dout.dtype(), [&]<class T>(T) {
    const bool packed =
        channels % kFullPack<T> == 0 && whole_packs({&args.dx, &args.dout, &args.x}) && factor_fits(args.factor);
    with_pack<T>(packed, [&](auto n) {
      const BackwardRows<T> rows{.dx = rows_of<T>(args.dx),
                                 .dout = rows_of<const T>(args.dout),
                                 .x = rows_of<const T>(args.x),
                                 .factor = factor_of(args.factor, args.sign),
                                 .tokens = tokens,
                                 .channels = channels};
      if (rows.factor.per_channel)
        by_channel<T, n>(rows, args.dfactor, exec);
      else
        by_row<T, n>(rows, args.dfactor, args.factor.extent(0) == 1, exec);
    });
  });
  check_launch("scale_rows_backward");
}

}  // namespace hyscale::kernels::cuda
