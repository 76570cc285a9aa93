#include <algorithm>
#include <string>

#include "core/kernels/cuda/launch.h"
#include "core/optim/gpu_adamw.h"

namespace hyscale::optim {
namespace {

using namespace kernels::cuda;

constexpr int kThreads = 256;
constexpr int kVectors = 2;           // float4s a thread updates
constexpr int kResident = 4;          // blocks at once on a multiprocessor
constexpr int kSumVectors = 4;        // float4s a thread has in flight
constexpr int64_t kSumBlocks = 1024;  // at most, so that one block can sum their sums

struct Arrays {
  float4* weights;
  uint2* rounded;  // four bf16 values each; null: not wanted
  float4* gradients;
  float4* m;
  float4* v;
  const uint32_t* decays;
  int64_t vectors;
};

struct Rule {
  double beta1, beta2, epsilon, weight_decay, clip;
};

// What a step multiplies with, as the CPU's step rounds it.
struct Factors {
  float beta1, new1, beta2, new2, m_factor, v_factor, epsilon, scale, rate, keep;
  float moves;  // 0: the gradient norm is not finite, nothing changes
};

// Once for all: a square root and a division in double at the head of every block would hold up its stores.
__global__ void factors_kernel(Factors* factors, Rule rule, const double* schedule) {
  const auto f = [](double x) { return static_cast<float>(x); };
  const double rate = schedule[0], norm = sqrt(schedule[3]);
  const double scale = rule.clip > 0 && norm > rule.clip ? rule.clip / norm : 1.0;
  *factors = {.beta1 = f(rule.beta1),
              .new1 = f(1 - rule.beta1),
              .beta2 = f(rule.beta2),
              .new2 = f(1 - rule.beta2),
              .m_factor = f(schedule[1]),
              .v_factor = f(schedule[2]),
              .epsilon = f(rule.epsilon),
              .scale = f(scale),
              .rate = f(rate),
              .keep = f(1 - rate * rule.weight_decay),
              .moves = isfinite(schedule[3]) ? 1.0F : 0.0F};
}

__device__ void update(const Factors& f, bool decays, float gradient, float& w, float& m, float& v) {
  const float g = gradient * f.scale;
  m = f.beta1 * m + f.new1 * g;
  v = f.beta2 * v + f.new2 * g * g;
  const float kept = decays ? f.keep * w : w;
  w = kept - f.rate * (m * f.m_factor / (sqrtf(v * f.v_factor) + f.epsilon));
}

__device__ uint32_t bits_of(__nv_bfloat162 pair) { return *reinterpret_cast<const uint32_t*>(&pair); }

__device__ void update_vector(const Arrays& a, const Factors& f, int64_t at, bool decays, float4 g, float4 w, float4 m,
                              float4 v) {
  update(f, decays, g.x, w.x, m.x, v.x);
  update(f, decays, g.y, w.y, m.y, v.y);
  update(f, decays, g.z, w.z, m.z, v.z);
  update(f, decays, g.w, w.w, m.w, v.w);
  a.weights[at] = w;
  a.m[at] = m;
  a.v[at] = v;
  if (a.rounded != nullptr)
    a.rounded[at] = {bits_of(__floats2bfloat162_rn(w.x, w.y)), bits_of(__floats2bfloat162_rn(w.z, w.w))};
}

__device__ bool decays_at(const Arrays& a, int64_t at) {
  const int64_t group = at / 16;  // of 64 elements
  return a.decays[group / 32] >> (group % 32) & 1;
}

// All loads are on their way before the first value is needed.
__global__ void __launch_bounds__(kThreads, kResident) adamw_kernel(Arrays a, const Factors* all_factors) {
  const int64_t first = static_cast<int64_t>(blockIdx.x) * (kVectors * kThreads) + threadIdx.x;
  float4 g[kVectors], w[kVectors], m[kVectors], v[kVectors];
  bool decays[kVectors];
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    const int64_t at = first + i * kThreads;
    if (at >= a.vectors) continue;
    g[i] = a.gradients[at];
    w[i] = a.weights[at];
    m[i] = a.m[at];
    v[i] = a.v[at];
    decays[i] = decays_at(a, at);
  }
  const Factors factors = *all_factors;
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    const int64_t at = first + i * kThreads;
    if (at >= a.vectors) continue;
    a.gradients[at] = {};
    if (factors.moves != 0) update_vector(a, factors, at, decays[i], g[i], w[i], m[i], v[i]);
  }
}

// The sum over the block's threads, in thread 0; always in one order.
template <int threads>
__device__ double block_sum(double value) {
  __shared__ double sums[threads / 32];
#pragma unroll
  for (int step = 16; step > 0; step /= 2) value += __shfl_down_sync(~0u, value, step);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = value;
  __syncthreads();
  double sum = 0;
  if (threadIdx.x == 0)
    for (int i = 0; i < threads / 32; ++i) sum += sums[i];
  return sum;
}

__device__ double square(float x) { return static_cast<double>(x) * static_cast<double>(x); }
__device__ double squares(float4 x) { return (square(x.x) + square(x.y)) + (square(x.z) + square(x.w)); }

__global__ void __launch_bounds__(kThreads) partial_squares_kernel(double* partials, const float* x, int64_t n) {
  const auto* vectors = reinterpret_cast<const float4*>(x);
  const int64_t count = n / 4, stride = static_cast<int64_t>(gridDim.x) * kThreads;
  double sum[kSumVectors] = {};
  int64_t at = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  for (; at + (kSumVectors - 1) * stride < count; at += kSumVectors * stride) {
    float4 v[kSumVectors];
#pragma unroll
    for (int i = 0; i < kSumVectors; ++i) v[i] = vectors[at + i * stride];
#pragma unroll
    for (int i = 0; i < kSumVectors; ++i) sum[i] += squares(v[i]);
  }
  for (; at < count; at += stride) sum[0] += squares(vectors[at]);
  if (blockIdx.x == 0 && threadIdx.x < n % 4) sum[1] += square(x[4 * count + threadIdx.x]);
  const double total = block_sum<kThreads>((sum[0] + sum[1]) + (sum[2] + sum[3]));
  if (threadIdx.x == 0) partials[blockIdx.x] = total;
}

__global__ void __launch_bounds__(kSumBlocks) sum_kernel(double* out, const double* partials, int count) {
  const int i = static_cast<int>(threadIdx.x);
  const double total = block_sum<kSumBlocks>(i < count ? partials[i] : 0.0);
  if (i == 0) *out = total;
}

void require_aligned(const char* what, const Tensor& tensor) {
  if (!tensor.is_dense() || reinterpret_cast<uintptr_t>(tensor.data()) % 16 != 0)
    throw ShapeError(std::string(what) + " must be dense and begin at a multiple of 16 bytes");
}

void check_contract(const GpuAdamWArgs& a) {
  const int64_t n = a.weights.extent(0);
  if (n % 64 != 0) throw ShapeError("gpu_adamw needs a multiple of 64 elements, not " + a.weights.describe());
  expect_shape("gpu_adamw gradients", a.gradients, {n});
  expect_shape("gpu_adamw m", a.m, {n});
  expect_shape("gpu_adamw v", a.v, {n});
  if (a.rounded.data() != nullptr) expect_shape("gpu_adamw rounded", a.rounded, {n});
  expect_shape("gpu_adamw decays", a.decays, {divide_up(n, 2048)});
  expect_shape("gpu_adamw schedule", a.schedule, {4});
  for (const Tensor& t : {a.weights, a.rounded, a.gradients, a.m, a.v}) require_aligned("gpu_adamw: arrays", t);
}

float4* vectors_of(const Tensor& tensor) { return reinterpret_cast<float4*>(pointer_to<float>(tensor)); }

}  // namespace

void gpu_adamw(const GpuAdamWArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "adamw");
  check_contract(args);
  const int64_t vectors = args.weights.extent(0) / 4;
  if (vectors == 0) return;
  const Arrays arrays{.weights = vectors_of(args.weights),
                      .rounded = reinterpret_cast<uint2*>(pointer_to<__nv_bfloat16>(args.rounded)),
                      .gradients = vectors_of(args.gradients),
                      .m = vectors_of(args.m),
                      .v = vectors_of(args.v),
                      .decays = reinterpret_cast<const uint32_t*>(pointer_to<const int32_t>(args.decays)),
                      .vectors = vectors};
  const Rule rule{.beta1 = args.betas[0],
                  .beta2 = args.betas[1],
                  .epsilon = args.epsilon,
                  .weight_decay = args.weight_decay,
                  .clip = args.clip};
  const auto blocks = static_cast<unsigned>(divide_up(vectors, kVectors * kThreads));
  const Arena::Scope scratch(*exec.arena);
  auto* factors = reinterpret_cast<Factors*>(exec.arena->tensor(DType::f32, {sizeof(Factors) / sizeof(float)}).data());
  const cudaStream_t stream = cuda_context(exec).stream();
  factors_kernel<<<1, 1, 0, stream>>>(factors, rule, pointer_to<const double>(args.schedule));
  adamw_kernel<<<blocks, kThreads, 0, stream>>>(arrays, factors);
  check_launch("adamw");
}

void gpu_sum_of_squares(const Tensor& out, const Tensor& x, const Exec& exec) {
  const OperationTimer timer(exec, "sum_of_squares");
  expect_shape("gpu_sum_of_squares out", out, {1});
  require_aligned("gpu_sum_of_squares: x", x);
  const int64_t n = x.numel();
  const int64_t blocks = std::clamp<int64_t>(divide_up(n, 4 * kSumVectors * kThreads), 1, kSumBlocks);
  const Arena::Scope scratch(*exec.arena);
  auto* partials = pointer_to<double>(exec.arena->tensor(DType::f64, {blocks}));
  const cudaStream_t stream = cuda_context(exec).stream();
  partial_squares_kernel<<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(partials, pointer_to<const float>(x),
                                                                                 n);
  sum_kernel<<<1, kSumBlocks, 0, stream>>>(pointer_to<double>(out), partials, static_cast<int>(blocks));
  check_launch("sum_of_squares");
}

}  // namespace hyscale::optim
