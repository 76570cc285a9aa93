#include "core/kernels/cuda/launch.h"
#include "core/kernels/cuda/row_sum.h"
#include "core/kernels/cuda/twins.h"

namespace hyscale::kernels::cuda {
namespace {

constexpr int kThreads = 256;

__device__ float exact_sigmoid(float x) { return 1 / (1 + expf(-x)); }

template <class T>
__global__ void __launch_bounds__(kThreads)
    branch_weights_kernel(Rows<float> weights, Rows<const T> logits, int64_t tokens, bool alone) {
  const int64_t t = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (t >= tokens) return;
  const float first = to_f32(logits[t][0]);
  weights[t][0] = exact_sigmoid(first);
  weights[t][1] = exact_sigmoid(alone ? -first : to_f32(logits[t][1]));
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    branch_weights_backward_kernel(Rows<T> dlogits, Rows<const float> dweights, Rows<const float> weights,
                                   int64_t tokens, bool alone) {
  const int64_t t = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (t >= tokens) return;
  const auto through = [&](int b) { return dweights[t][b] * weights[t][b] * (1 - weights[t][b]); };
  dlogits[t][0] = from_f32<T>(alone ? through(0) - through(1) : through(0));
  if (!alone) dlogits[t][1] = from_f32<T>(through(1));
}

// exp(q·k) of rows `first` and first + 1, by one warp.
template <class T>
__device__ float exponential(const Rows<const T>& vectors, int first, int64_t dim) {
  float sum = 0;
  for (int64_t i = threadIdx.x; i < dim; i += 32) sum += to_f32(vectors[first][i]) * to_f32(vectors[first + 1][i]);
  return expf(warp_sum(sum));
}

template <class T>
__global__ void __launch_bounds__(32)
    diff_lambda_kernel(float* lambda, Rows<const T> vectors, int64_t dim, float initial) {
  const float value = exponential(vectors, 0, dim) - exponential(vectors, 2, dim) + initial;
  if (threadIdx.x == 0) *lambda = value;
}

template <class T>
__global__ void __launch_bounds__(32)
    diff_lambda_backward_kernel(Rows<float> dvectors, const float* dlambda, Rows<const T> vectors, int64_t dim) {
  for (int first = 0; first <= 2; first += 2) {
    const float scale = (first == 0 ? *dlambda : -*dlambda) * exponential(vectors, first, dim);
    for (int64_t i = threadIdx.x; i < dim; i += 32) {
      dvectors[first][i] += scale * to_f32(vectors[first + 1][i]);
      dvectors[first + 1][i] += scale * to_f32(vectors[first][i]);
    }
  }
}

}  // namespace

void branch_weights(const BranchWeightsArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "branch_weights");
  const int64_t tokens = args.weights.extent(0);
  if (tokens == 0) return;
  const auto blocks = static_cast<unsigned>(divide_up(tokens, kThreads));
  with_activation("branch_weights", args.logits.dtype(), [&]<class T>(T) {
    branch_weights_kernel<<<blocks, kThreads, 0, cuda_context(exec).stream()>>>(
        rows_of<float>(args.weights), rows_of<const T>(args.logits), tokens, args.logits.extent(1) == 1);
  });
  check_launch("branch_weights");
}

void branch_weights_backward(const BranchWeightsBackwardArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "branch_weights_backward");
  const int64_t tokens = args.weights.extent(0);
  if (tokens == 0) return;
  const auto blocks = static_cast<unsigned>(divide_up(tokens, kThreads));
  with_activation("branch_weights_backward", args.dlogits.dtype(), [&]<class T>(T) {
    branch_weights_backward_kernel<<<blocks, kThreads, 0, cuda_context(exec).stream()>>>(
        rows_of<T>(args.dlogits), rows_of<const float>(args.dweights), rows_of<const float>(args.weights), tokens,
        args.dlogits.extent(1) == 1);
  });
  check_launch("branch_weights_backward");
}

void diff_lambda(const DiffLambdaArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "diff_lambda");
  with_activation("diff_lambda", args.vectors.dtype(), [&]<class T>(T) {
    diff_lambda_kernel<<<1, 32, 0, cuda_context(exec).stream()>>>(
        pointer_to<float>(args.lambda), rows_of<const T>(args.vectors), args.vectors.extent(1),
        static_cast<float>(args.initial));
  });
  check_launch("diff_lambda");
}

void diff_lambda_backward(const DiffLambdaBackwardArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "diff_lambda_backward");
  with_activation("diff_lambda_backward", args.vectors.dtype(), [&]<class T>(T) {
    diff_lambda_backward_kernel<<<1, 32, 0, cuda_context(exec).stream()>>>(
        rows_of<float>(args.dvectors), pointer_to<const float>(args.dlambda), rows_of<const T>(args.vectors),
        args.vectors.extent(1));
  });
  check_launch("diff_lambda_backward");
}

}  // namespace hyscale::kernels::cuda
