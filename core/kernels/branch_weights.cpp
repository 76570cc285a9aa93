#include "core/kernels/branch_weights.h"

#include <cmath>

#include "core/kernels/cuda/twins.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {

static constexpr int64_t kTokensPerTask = 1024;

// Of logits or dlogits: 1 or 2 columns.
static int64_t columns_of(const char* what, const Tensor& logits, int64_t tokens) {
  const int64_t columns = logits.rank() == 2 && logits.extent(1) == 1 ? 1 : 2;
  expect_shape(what, logits, {tokens, columns});
  return columns;
}

void branch_weights(const BranchWeightsArgs& args, const Exec& exec) {
  const int64_t tokens = args.weights.extent(0);
  expect_shape("branch_weights weights", args.weights, {tokens, 2});
  const bool alone = columns_of("branch_weights logits", args.logits, tokens) == 1;
  if (exec.device == Device::cuda) return cuda::branch_weights(args, exec);
  with_real(args.weights.dtype(), [&]<class T>(T) {
    const auto weights = args.weights.view<T, 2>(), logits = args.logits.view<T, 2>();
    const auto sigmoid = [](T x) { return 1 / (1 + std::exp(-x)); };
    parallel_for(tokens, kTokensPerTask, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        weights(t, 0) = sigmoid(logits(t, 0));
        weights(t, 1) = sigmoid(alone ? -logits(t, 0) : logits(t, 1));
      }
    });
  });
}

void branch_weights_backward(const BranchWeightsBackwardArgs& args, const Exec& exec) {
  const int64_t tokens = args.weights.extent(0);
  expect_shape("branch_weights weights", args.weights, {tokens, 2});
  expect_shape("branch_weights dweights", args.dweights, {tokens, 2});
  const bool alone = columns_of("branch_weights dlogits", args.dlogits, tokens) == 1;
  if (exec.device == Device::cuda) return cuda::branch_weights_backward(args, exec);
  with_real(args.weights.dtype(), [&]<class T>(T) {
    const auto weights = args.weights.view<T, 2>(), dweights = args.dweights.view<T, 2>(),
               dlogits = args.dlogits.view<T, 2>();
    const auto through = [&](int64_t t, int64_t b) { return dweights(t, b) * weights(t, b) * (1 - weights(t, b)); };
    parallel_for(tokens, kTokensPerTask, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        dlogits(t, 0) = alone ? through(t, 0) - through(t, 1) : through(t, 0);
        if (!alone) dlogits(t, 1) = through(t, 1);
      }
    });
  });
}

namespace {

// exp(q·k) of rows `first` and first + 1.
template <class T>
T exponential(const View<T, 2>& vectors, int64_t first) {
  T sum = 0;
  for (int64_t i = 0; i < vectors.extent(1); ++i) sum += vectors(first, i) * vectors(first + 1, i);
  return std::exp(sum);
}

}  // namespace

void diff_lambda(const DiffLambdaArgs& args, const Exec& exec) {
  expect_shape("diff_lambda lambda", args.lambda, {1, 1});
  expect_shape("diff_lambda vectors", args.vectors, {4, args.vectors.extent(1)});
  if (exec.device == Device::cuda) return cuda::diff_lambda(args, exec);
  with_real(args.lambda.dtype(), [&]<class T>(T) {
    const auto vectors = args.vectors.view<T, 2>();
    args.lambda.view<T, 2>()(0, 0) = exponential(vectors, 0) - exponential(vectors, 2) + static_cast<T>(args.initial);
  });
}

void diff_lambda_backward(const DiffLambdaBackwardArgs& args, const Exec& exec) {
  expect_shape("diff_lambda dlambda", args.dlambda, {1, 1});
  expect_shape("diff_lambda vectors", args.vectors, {4, args.vectors.extent(1)});
  expect_shape("diff_lambda dvectors", args.dvectors, args.vectors.shape());
  if (exec.device == Device::cuda) return cuda::diff_lambda_backward(args, exec);
  with_real(args.dlambda.dtype(), [&]<class T>(T) {
    const auto vectors = args.vectors.view<T, 2>(), dvectors = args.dvectors.view<T, 2>();
    const T dlambda = args.dlambda.view<T, 2>()(0, 0);
    for (const int64_t first : {0, 2}) {
      const T scale = (first == 0 ? dlambda : -dlambda) * exponential(vectors, first);
      for (int64_t i = 0; i < vectors.extent(1); ++i) {
        dvectors(first, i) += scale * vectors(first + 1, i);
        dvectors(first + 1, i) += scale * vectors(first, i);
      }
    }
  });
}

}  // namespace hyscale::kernels
