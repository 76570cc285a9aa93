#include "core/kernels/scale_rows.h"

#include "core/base/error.h"
#include "core/kernels/cuda/twins.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {

static constexpr int64_t kTokensPerTask = 64;

enum class Factor { none, per_channel, per_token, one };

static Factor kind_of(const Tensor& factor, int64_t tokens, int64_t channels) {
  if (factor.empty()) return Factor::none;
  if (factor.rank() == 2 && factor.extent(0) == 1 && factor.extent(1) == channels) return Factor::per_channel;
  if (factor.rank() == 2 && factor.extent(0) == tokens && factor.extent(1) == 1) return Factor::per_token;
  expect_shape("scale_rows factor", factor, {1, 1});
  return Factor::one;
}

// The factor that a whole row shares.
template <class T>
static T of_row(Factor kind, const View<T, 2>& factor, int64_t token) {
  if (kind == Factor::per_token) return factor(token, 0);
  return kind == Factor::one ? factor(0, 0) : T(1);
}

void scale_rows(const ScaleRowsArgs& args, const Exec& exec) {
  const int64_t tokens = args.out.extent(0), channels = args.out.extent(1);
  expect_shape("scale_rows x", args.x, {tokens, channels});
  const Factor kind = kind_of(args.factor, tokens, channels);
  if (exec.device == Device::cuda) return cuda::scale_rows(args, exec);
  with_real(args.out.dtype(), [&]<class T>(T) {
    const auto out = args.out.view<T, 2>(), x = args.x.view<T, 2>();
    const auto factor = kind == Factor::none ? View<T, 2>{} : args.factor.view<T, 2>();
    const T *const of_channel = kind == Factor::per_channel ? factor.data : nullptr, sign = static_cast<T>(args.sign);
    parallel_for(tokens, kTokensPerTask, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        T* const to = &out(t, 0);
        const T *const from = &x(t, 0), scale = sign * of_row(kind, factor, t);
        for (int64_t c = 0; c < channels; ++c) {
          const T value = scale * from[c] * (of_channel != nullptr ? of_channel[c] : T(1));
          to[c] = args.accumulate ? to[c] + value : value;
        }
      }
    });
  });
}

namespace {

// One row: dx, and Σ dout ⊙ x into `sum` (per channel) or as the return value (per row).
template <class T>
T backward_row(T* dx, T* sum, const T* dout, const T* x, const T* of_channel, T scale, T sign, int64_t channels) {
  T along = 0;
  if (x != nullptr && sum == nullptr) {
#pragma omp simd reduction(+ : along)
    for (int64_t c = 0; c < channels; ++c) along += dout[c] * x[c];
  }
  for (int64_t c = 0; c < channels; ++c) {
    const T gradient = dout[c];
    if (sum != nullptr) sum[c] += sign * gradient * x[c];
    dx[c] = scale * gradient * (of_channel != nullptr ? of_channel[c] : T(1));
  }
  return sign * along;
}

}  // namespace

void scale_rows_backward(const ScaleRowsBackwardArgs& args, const Exec& exec) {
  const int64_t tokens = args.dout.extent(0), channels = args.dout.extent(1);
  expect_shape("scale_rows dx", args.dx, {tokens, channels});
  const Factor kind = kind_of(args.factor, tokens, channels);
  if (kind != Factor::none) {
    expect_shape("scale_rows x", args.x, {tokens, channels});
    expect_shape("scale_rows dfactor", args.dfactor, args.factor.shape());
  }
  if (exec.device == Device::cuda) return cuda::scale_rows_backward(args, exec);
  const Arena::Scope scratch(*exec.arena);
  const int64_t tasks = (tokens + kTokensPerTask - 1) / kTokensPerTask;
  const bool summed = kind == Factor::per_channel || kind == Factor::one;  // over tokens
  const Tensor partial = summed ? exec.arena->zeroed(args.dout.dtype(), {tasks, args.factor.extent(1)}) : Tensor();
  with_real(args.dout.dtype(), [&]<class T>(T) {
    const View<T, 2> none{};
    const auto dx = args.dx.view<T, 2>(), dout = args.dout.view<T, 2>();
    const auto factor = kind == Factor::none ? none : args.factor.view<T, 2>();
    const auto dfactor = kind == Factor::none ? none : args.dfactor.view<T, 2>();
    const auto x = kind == Factor::none ? none : args.x.view<T, 2>(), sums = summed ? partial.view<T, 2>() : none;
    const T *const of_channel = kind == Factor::per_channel ? factor.data : nullptr, sign = static_cast<T>(args.sign);
    parallel_for(tokens, kTokensPerTask, [&](int64_t begin, int64_t end) {
      const int64_t task = begin / kTokensPerTask;
      for (int64_t t = begin; t < end; ++t) {
        const T along = backward_row(&dx(t, 0), kind == Factor::per_channel ? &sums(task, 0) : nullptr, &dout(t, 0),
                                     kind == Factor::none ? nullptr : &x(t, 0), of_channel,
                                     sign * of_row(kind, factor, t), sign, channels);
        if (kind == Factor::per_token) dfactor(t, 0) += along;
        if (kind == Factor::one) sums(task, 0) += along;
      }
    });
    for (int64_t task = 0; summed && task < tasks; ++task)
      for (int64_t c = 0; c < args.factor.extent(1); ++c) dfactor(0, c) += sums(task, c);
  });
}

}  // namespace hyscale::kernels
