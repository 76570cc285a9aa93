#include <algorithm>

#include "core/kernels/cuda/column_sums.h"
#include "core/kernels/cuda/launch.h"
#include "core/kernels/cuda/pack.h"
#include "core/kernels/cuda/row_sum.h"
#include "core/kernels/cuda/twins.h"

// A team of threads holds one group's columns of one row in registers and reads it once. Teams stay while rows pass:
// weights and the sums of dweight stay in registers too, and the next row is under way while one is worked on.
namespace hyscale::kernels::cuda {
namespace {

template <class T>
struct Gated {
  Rows<const T> y, z;
  const float* weight = nullptr;  // null: no norm
  int64_t tokens = 0, width = 0;  // of a group
  int64_t groups = 1;
  float epsilon = 0;
};

/// Team of kThreads, packs of N columns, kPacks of them to a thread.
template <int kTeamThreads, int N_, int kPacks_>
struct Layout {
  static constexpr int kThreads = kTeamThreads, N = N_, kPacks = kPacks_;
  static constexpr int kTeams = kThreads == 32 ? 8 : 1;  // of a block
  static constexpr int kBlock = kThreads * kTeams;
  static constexpr int kBlocksPerSm = kBlock >= 512 ? 1 : 512 / kBlock;
};

/// The team that a thread is in, and its place in that.
template <class L>
struct Member {
  int64_t group, first_row, row_step;
  int lane;

  __device__ explicit Member(int64_t groups)
      : group(blockIdx.x % groups),
        first_row(blockIdx.x / groups * L::kTeams + threadIdx.x / L::kThreads),
        row_step(gridDim.x / groups * L::kTeams),
        lane(threadIdx.x % L::kThreads) {}
  /// Of the group's columns.
  __device__ int64_t column(int pack) const { return static_cast<int64_t>(pack * L::kThreads + lane) * L::N; }
};

/// A thread's part of one row.
template <class L, class T>
struct Part {
  LoadedPack<T, L::N> at[L::kPacks];

  __device__ void load(const Rows<const T>& rows, int64_t row, const Member<L>& me, int64_t width) {
    const T* const from = rows[row] + me.group * width;
#pragma unroll
    for (int p = 0; p < L::kPacks; ++p) {
      at[p] = LoadedPack<T, L::N>{};
      if (me.column(p) < width) at[p] = load_packed<L::N>(from + me.column(p));
    }
  }
  __device__ float operator()(int pack, int i) const { return at[pack][i]; }
};

/// A thread's weights; 1 without a norm.
template <class L>
struct Weights {
  float at[L::kPacks][L::N];

  __device__ Weights(const float* weight, const Member<L>& me, int64_t width) {
#pragma unroll
    for (int p = 0; p < L::kPacks; ++p)
#pragma unroll
      for (int i = 0; i < L::N; ++i)
        at[p][i] = weight != nullptr && me.column(p) < width ? weight[me.group * width + me.column(p) + i] : 1;
  }
};

template <class L, class T>
__global__ void __launch_bounds__(L::kBlock, L::kBlocksPerSm) forward_kernel(Gated<T> in, Rows<T> out, float* rstd) {
  const Member<L> me(in.groups);
  const Weights<L> weight(in.weight, me, in.width);
  Part<L, T> y, z;
  if (me.first_row < in.tokens) y.load(in.y, me.first_row, me, in.width), z.load(in.z, me.first_row, me, in.width);
  int turn = 0;
  for (int64_t row = me.first_row; row < in.tokens; row += me.row_step, turn ^= 1) {
    float h[L::kPacks][L::N], squares = 0;
#pragma unroll
    for (int p = 0; p < L::kPacks; ++p)
#pragma unroll
      for (int i = 0; i < L::N; ++i) {
        h[p][i] = y(p, i) * z(p, i) * sigmoid(z(p, i));
        squares += h[p][i] * h[p][i];
      }
    if (const int64_t next = row + me.row_step; next < in.tokens)
      y.load(in.y, next, me, in.width), z.load(in.z, next, me, in.width);
    float r = 1;
    if (in.weight != nullptr) {
      r = 1 / sqrtf(row_sum<L::kThreads>(squares, turn) / static_cast<float>(in.width) + in.epsilon);
      if (me.lane == 0) rstd[row * in.groups + me.group] = r;
    }
#pragma unroll
    for (int p = 0; p < L::kPacks; ++p) {
#pragma unroll
      for (int i = 0; i < L::N; ++i) h[p][i] *= r * weight.at[p][i];
      if (me.column(p) < in.width) store_pack(out[row] + me.group * in.width + me.column(p), h[p]);
    }
  }
}

template <class T>
struct GatedGradients {
  const float* rstd = nullptr;
  Rows<const T> dout;
  Rows<T> dy, dz;
  float* parts = nullptr;  // [blocks of rows, channels]: sums of dweight
};

template <class L, class T>
struct BackwardInputs {
  Part<L, T> y, z, dout;
  float rstd = 1;

  __device__ void load(const Gated<T>& in, const GatedGradients<T>& to, int64_t row, const Member<L>& me) {
    y.load(in.y, row, me, in.width);
    z.load(in.z, row, me, in.width);
    dout.load(to.dout, row, me, in.width);
    if (in.weight != nullptr) rstd = to.rstd[row * in.groups + me.group];
  }
};

/// Writes the block's sums of dweight: of one team, or of all teams of the block in their order.
template <class L>
__device__ void store_sums(const float (&sums)[L::kPacks][L::N], const Member<L>& me, int64_t width, float* part) {
  if constexpr (L::kTeams == 1) {
#pragma unroll
    for (int p = 0; p < L::kPacks; ++p)
      if (me.column(p) < width) store_pack(part + me.column(p), sums[p]);
  } else {
    __shared__ float all[L::kTeams][L::kPacks * L::kThreads * L::N];
#pragma unroll
    for (int p = 0; p < L::kPacks; ++p)
#pragma unroll
      for (int i = 0; i < L::N; ++i) all[threadIdx.x / L::kThreads][me.column(p) + i] = sums[p][i];
    __syncthreads();
    for (int64_t c = threadIdx.x; c < width; c += L::kBlock) {
      float sum = 0;
#pragma unroll
      for (int team = 0; team < L::kTeams; ++team) sum += all[team][c];
      part[c] = sum;
    }
  }
}

template <class L, class T>
__global__ void __launch_bounds__(L::kBlock, L::kBlocksPerSm) backward_kernel(Gated<T> in, GatedGradients<T> to) {
  const Member<L> me(in.groups);
  const Weights<L> weight(in.weight, me, in.width);
  float dweight[L::kPacks][L::N] = {};
  BackwardInputs<L, T> next;
  if (me.first_row < in.tokens) next.load(in, to, me.first_row, me);
  int turn = 0;
  for (int64_t row = me.first_row; row < in.tokens; row += me.row_step, turn ^= 1) {
    const BackwardInputs<L, T> now = next;
    if (row + me.row_step < in.tokens) next.load(in, to, row + me.row_step, me);
    float s[L::kPacks][L::N], sum = 0;
#pragma unroll
    for (int p = 0; p < L::kPacks; ++p)
#pragma unroll
      for (int i = 0; i < L::N; ++i) {
        s[p][i] = sigmoid(now.z(p, i));
        const float along = now.dout(p, i) * now.y(p, i) * now.z(p, i) * s[p][i] * now.rstd;  // dout n
        dweight[p][i] += along;
        sum += along * weight.at[p][i];
      }
    float shared = 0;
    if (in.weight != nullptr) shared = now.rstd * row_sum<L::kThreads>(sum, turn) / static_cast<float>(in.width);
#pragma unroll
    for (int p = 0; p < L::kPacks; ++p) {
      float dy[L::N], dz[L::N];
#pragma unroll
      for (int i = 0; i < L::N; ++i) {
        const float y = now.y(p, i), gate = now.z(p, i), through = gate * s[p][i];
        const float dh = now.rstd * (now.dout(p, i) * weight.at[p][i] - y * through * shared);
        dy[i] = dh * through;
        dz[i] = dh * y * s[p][i] * (1 + gate * (1 - s[p][i]));
      }
      const int64_t column = me.group * in.width + me.column(p);
      if (me.column(p) >= in.width) continue;
      store_pack(to.dy[row] + column, dy);
      store_pack(to.dz[row] + column, dz);
    }
  }
  if (in.weight != nullptr)
    store_sums<L>(dweight, me, in.width, to.parts + (blockIdx.x / in.groups * in.groups + me.group) * in.width);
}

// Any width and alignment: the row is read twice, entry by entry.
struct Plain {
  static constexpr int kThreads = 256, kTeams = 1, kBlock = kThreads;
};

template <class T>
__global__ void __launch_bounds__(Plain::kBlock) plain_forward_kernel(Gated<T> in, Rows<T> out, float* rstd) {
  const Member<Plain> me(in.groups);
  const int64_t begin = me.group * in.width, end = begin + in.width;
  int turn = 0;
  for (int64_t row = me.first_row; row < in.tokens; row += me.row_step, turn ^= 1) {
    const T *const y = in.y[row], *const z = in.z[row];
    const auto h = [&](int64_t c) { return to_f32(y[c]) * to_f32(z[c]) * sigmoid(to_f32(z[c])); };
    float r = 1;
    if (in.weight != nullptr) {
      float squares = 0;
      for (int64_t c = begin + me.lane; c < end; c += Plain::kThreads) squares += h(c) * h(c);
      r = 1 / sqrtf(row_sum<Plain::kThreads>(squares, turn) / static_cast<float>(in.width) + in.epsilon);
      if (me.lane == 0) rstd[row * in.groups + me.group] = r;
    }
    for (int64_t c = begin + me.lane; c < end; c += Plain::kThreads)
      out[row][c] = from_f32<T>(h(c) * r * (in.weight != nullptr ? in.weight[c] : 1));
  }
}

template <class T>
__global__ void __launch_bounds__(Plain::kBlock) plain_backward_kernel(Gated<T> in, GatedGradients<T> to) {
  const Member<Plain> me(in.groups);
  const int64_t begin = me.group * in.width, end = begin + in.width;
  const bool normed = in.weight != nullptr;
  float* const part = normed ? to.parts + blockIdx.x / in.groups * in.groups * in.width : nullptr;
  if (normed)
    for (int64_t c = begin + me.lane; c < end; c += Plain::kThreads) part[c] = 0;
  int turn = 0;
  for (int64_t row = me.first_row; row < in.tokens; row += me.row_step, turn ^= 1) {
    const T *const y = in.y[row], *const z = in.z[row], *const dout = to.dout[row];
    const float r = normed ? to.rstd[row * in.groups + me.group] : 1;
    float sum = 0;
    for (int64_t c = begin + me.lane; normed && c < end; c += Plain::kThreads) {
      const float gate = to_f32(z[c]), along = to_f32(dout[c]) * to_f32(y[c]) * gate * sigmoid(gate) * r;
      part[c] += along;
      sum += along * in.weight[c];
    }
    const float shared = normed ? r * row_sum<Plain::kThreads>(sum, turn) / static_cast<float>(in.width) : 0;
    for (int64_t c = begin + me.lane; c < end; c += Plain::kThreads) {
      const float value = to_f32(y[c]), gate = to_f32(z[c]), s = sigmoid(gate), through = gate * s;
      const float dh = r * (to_f32(dout[c]) * (normed ? in.weight[c] : 1) - value * through * shared);
      to.dy[row][c] = from_f32<T>(dh * through);
      to.dz[row][c] = from_f32<T>(dh * value * s * (1 + gate * (1 - s)));
    }
  }
}

template <class T>
Gated<T> gated_of(const GatedRmsNormArgs& args) {
  const int64_t groups = args.weight.empty() ? 1 : args.groups;
  return {.y = rows_of<const T>(args.y),
          .z = rows_of<const T>(args.z),
          .weight = pointer_to<const float>(args.weight),
          .tokens = args.y.extent(0),
          .width = args.y.extent(1) / groups,
          .groups = groups,
          .epsilon = static_cast<float>(args.epsilon)};
}

/// Calls run.operator()<L>() with the smallest layout that holds a group's columns, or with Plain.
template <class T, class F>
void with_layout(const Gated<T>& in, std::initializer_list<const Tensor*> rows, F&& run) {
  constexpr int N = 16 / sizeof(T);
  const bool packed =
      in.width % N == 0 && std::ranges::all_of(rows, [](const Tensor* one) { return packs_fit<N>(*one); });
  const int64_t packs = in.width / N;
  if (!packed || packs > 1024) return run.template operator()<Plain>();
  if (packs <= 32) return run.template operator()<Layout<32, N, 1>>();
  if (packs <= 64) return run.template operator()<Layout<32, N, 2>>();
  if (packs <= 128) return run.template operator()<Layout<128, N, 1>>();
  if (packs <= 256) return run.template operator()<Layout<128, N, 2>>();
  if (packs <= 512) return run.template operator()<Layout<256, N, 2>>();
  run.template operator()<Layout<512, N, 2>>();
}

/// Blocks along the rows: what is resident at once, or fewer where rows are few.
template <class L, class T, class Kernel>
int64_t row_blocks(const Gated<T>& in, Kernel kernel, const CudaContext& context) {
  int resident = 0;
  check_cuda(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, L::kBlock, 0), "gated_rms_norm");
  const int64_t most = divide_up(static_cast<int64_t>(resident) * context.multiprocessors(), in.groups);
  return std::clamp(most, int64_t{1}, divide_up(in.tokens, L::kTeams));
}

}  // namespace

void gated_rms_norm(const GatedRmsNormArgs& args, const Tensor& out, const Tensor& rstd, const Exec& exec) {
  const OperationTimer timer(exec, "gated_rms_norm");
  if (out.numel() == 0) return;
  const CudaContext& context = cuda_context(exec);
  with_activation("gated_rms_norm", out.dtype(), [&]<class T>(T) {
    const Gated<T> in = gated_of<T>(args);
    with_layout(in, {&args.y, &args.z, &out}, [&]<class L>() {
      const auto kernel = [] {
        if constexpr (std::is_same_v<L, Plain>)
          return plain_forward_kernel<T>;
        else
          return forward_kernel<L, T>;
      }();
      const auto blocks = static_cast<unsigned>(row_blocks<L>(in, kernel, context) * in.groups);
      kernel<<<blocks, L::kBlock, 0, context.stream()>>>(in, rows_of<T>(out),
                                                         in.weight != nullptr ? pointer_to<float>(rstd) : nullptr);
    });
  });
  check_launch("gated_rms_norm");
}

namespace {

struct AddTo {
  float* first;
  __device__ float* operator()(int64_t column) const { return first + column; }
};

}  // namespace

void gated_rms_norm_backward(const GatedRmsNormArgs& args, const Tensor& rstd, const Tensor& dout, const Tensor& dy,
                             const Tensor& dz, const Tensor& dweight, const Exec& exec) {
  const OperationTimer timer(exec, "gated_rms_norm_backward");
  if (dy.numel() == 0) return;
  const CudaContext& context = cuda_context(exec);
  const Arena::Scope scope(*exec.arena);
  with_activation("gated_rms_norm_backward", dy.dtype(), [&]<class T>(T) {
    const Gated<T> in = gated_of<T>(args);
    GatedGradients<T> to{.dout = rows_of<const T>(dout), .dy = rows_of<T>(dy), .dz = rows_of<T>(dz)};
    with_layout(in, {&args.y, &args.z, &dout, &dy, &dz}, [&]<class L>() {
      const auto kernel = [] {
        if constexpr (std::is_same_v<L, Plain>)
          return plain_backward_kernel<T>;
        else
          return backward_kernel<L, T>;
      }();
      const int64_t along_rows = row_blocks<L>(in, kernel, context), channels = args.y.extent(1);
      Tensor parts;
      if (in.weight != nullptr) {
        parts = exec.arena->tensor(DType::f32, {along_rows, channels});
        to.rstd = pointer_to<const float>(rstd);
        to.parts = pointer_to<float>(parts);
      }
      kernel<<<static_cast<unsigned>(along_rows * in.groups), L::kBlock, 0, context.stream()>>>(in, to);
      if (in.weight != nullptr) add_column_sums(parts, channels, AddTo{pointer_to<float>(dweight)}, context.stream());
    });
  });
  check_launch("gated_rms_norm_backward");
}

}  // namespace hyscale::kernels::cuda
