#include "core/kernels/rms_norm.h"

#include <cmath>

#include "core/kernels/cuda/twins.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {

static constexpr int64_t kTokensPerTask = 128;

template <class T>
static void forward_row(T* out, T& rstd, const T* h, const T* weight, int64_t channels, T epsilon) {
  T squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t c = 0; c < channels; ++c) squares += h[c] * h[c];
  rstd = 1 / std::sqrt(squares / static_cast<T>(channels) + epsilon);
  for (int64_t c = 0; c < channels; ++c) out[c] = h[c] * rstd * weight[c];
}

void rms_norm(const RmsNormArgs& args, const Exec& exec) {
  const int64_t tokens = args.x.extent(0), channels = args.x.extent(1);
  expect_shape("rms_norm out", args.out, {tokens, channels});
  expect_shape("rms_norm rstd", args.rstd, {tokens});
  expect_shape("rms_norm weight", args.weight, {channels});
  const bool adds = !args.delta.empty();
  if (adds) expect_shape("rms_norm delta", args.delta, {tokens, channels});
  if (adds) expect_shape("rms_norm sum", args.sum, {tokens, channels});
  if (exec.device == Device::cuda) return cuda::rms_norm(args, exec);
  with_real(args.x.dtype(), [&]<class T>(T) {
    const auto x = args.x.view<T, 2>(), out = args.out.view<T, 2>();
    const auto delta = adds ? args.delta.view<T, 2>() : x, sum = adds ? args.sum.view<T, 2>() : x;
    const auto rstd = args.rstd.view<T, 1>();
    const T* weight = args.weight.as<T>();
    parallel_for(tokens, kTokensPerTask, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        T* h = &sum(t, 0);
        const T *a = &x(t, 0), *b = &delta(t, 0);
        if (adds)
          for (int64_t c = 0; c < channels; ++c) h[c] = a[c] + b[c];
        forward_row(&out(t, 0), rstd(t), h, weight, channels, static_cast<T>(args.epsilon));
      }
    });
  });
}

// With g = dout · weight and n = h · rstd:  dh = rstd · (g - n · mean(g · n)).
template <class T>
static void backward_row(T* dx, T* dweight, const T* dout, const T* h, T rstd, const T* weight, int64_t channels,
                         bool accumulate) {
  T along = 0;
#pragma omp simd reduction(+ : along)
  for (int64_t c = 0; c < channels; ++c) along += dout[c] * weight[c] * h[c];
  const T back = along * rstd * rstd * rstd / static_cast<T>(channels);
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    const T gradient = dout[c] * weight[c] * rstd - h[c] * back;
    dx[c] = accumulate ? dx[c] + gradient : gradient;
    dweight[c] += dout[c] * h[c] * rstd;
  }
}

void rms_norm_backward(const RmsNormBackwardArgs& args, const Exec& exec) {
  const int64_t tokens = args.x.extent(0), channels = args.x.extent(1);
  expect_shape("rms_norm dx", args.dx, {tokens, channels});
  expect_shape("rms_norm dout", args.dout, {tokens, channels});
  expect_shape("rms_norm rstd", args.rstd, {tokens});
  expect_shape("rms_norm weight", args.weight, {channels});
  expect_shape("rms_norm dweight", args.dweight, {channels});
  if (exec.device == Device::cuda) return cuda::rms_norm_backward(args, exec);
  const Arena::Scope scratch(*exec.arena);
  const int64_t tasks = (tokens + kTokensPerTask - 1) / kTokensPerTask;
  const Tensor partial = exec.arena->zeroed(args.x.dtype(), {tasks, channels});
  with_real(args.x.dtype(), [&]<class T>(T) {
    const auto dx = args.dx.view<T, 2>(), dout = args.dout.view<T, 2>(), x = args.x.view<T, 2>();
    const auto rstd = args.rstd.view<T, 1>();
    const auto sums = partial.view<T, 2>();
    const T* weight = args.weight.as<T>();
    parallel_for(tokens, kTokensPerTask, [&](int64_t begin, int64_t end) {
      T* sum = &sums(begin / kTokensPerTask, 0);
      for (int64_t t = begin; t < end; ++t)
        backward_row(&dx(t, 0), sum, &dout(t, 0), &x(t, 0), rstd(t), weight, channels, args.accumulate);
    });
    T* dweight = args.dweight.as<T>();
    for (int64_t task = 0; task < tasks; ++task)
      for (int64_t c = 0; c < channels; ++c) dweight[c] += sums(task, c);
  });
}

}  // namespace hyscale::kernels
