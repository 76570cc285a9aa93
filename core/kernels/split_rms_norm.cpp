#include "core/kernels/split_rms_norm.h"

#include <algorithm>
#include <cmath>

#include "core/kernels/split_contract.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {
namespace {

constexpr int64_t kTokensPerTask = 128;

/// Which norm groups the channels of a rank belong to.
struct Groups {
  int64_t first, width, channels;

  /// visit(norm group, first channel, channel behind the last) for each of them.
  template <class F>
  void for_each(F&& visit) const {
    for (int64_t begin = 0; begin < channels;) {
      const int64_t group = (first + begin) / width;
      const int64_t end = std::min(channels, (group + 1) * width - first);
      visit(group, begin, end);
      begin = end;
    }
  }
};

void check(const Tensor& x, const Tensor& rstd, const Tensor& weight, int64_t first, int64_t width) {
  expect_shape("split_rms_norm weight", weight, {x.extent(1)});
  if (rstd.rank() != 2 || rstd.extent(0) != x.extent(0) || width < 1 || first + x.extent(1) > rstd.extent(1) * width)
    throw ShapeError("split_rms_norm: rstd is " + rstd.describe() + ", x is " + x.describe());
}

template <class T>
void forward(const SplitRmsNormArgs& args, const Groups& groups, TensorGroup& ranks) {
  const auto x = args.x.view<const T, 2>();
  const auto out = args.out.view<T, 2>(), rstd = args.rstd.view<T, 2>();
  const T* const weight = args.weight.as<const T>();
  const int64_t tokens = x.extent(0), all = rstd.extent(1);
  parallel_for(tokens, kTokensPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      for (int64_t g = 0; g < all; ++g) rstd(t, g) = 0;
      groups.for_each([&](int64_t g, int64_t from, int64_t to) {
        T squares = 0;
        for (int64_t c = from; c < to; ++c) squares += x(t, c) * x(t, c);
        rstd(t, g) = squares;
      });
    }
  });
  ranks.sum(args.rstd);
  parallel_for(tokens, kTokensPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      for (int64_t g = 0; g < all; ++g)
        rstd(t, g) = 1 / std::sqrt(rstd(t, g) / static_cast<T>(args.width) + static_cast<T>(args.epsilon));
      groups.for_each([&](int64_t g, int64_t from, int64_t to) {
        for (int64_t c = from; c < to; ++c) out(t, c) = x(t, c) * rstd(t, g) * weight[c];
      });
    }
  });
}

// With g = dout · weight and n = x · rstd:  dx = rstd · (g - n · mean(g · n)).
template <class T>
void backward(const SplitRmsNormBackwardArgs& args, const Groups& groups, const Tensor& along_tensor,
              const Tensor& parts, TensorGroup& ranks) {
  const auto x = args.x.view<const T, 2>(), dout = args.dout.view<const T, 2>(), rstd = args.rstd.view<const T, 2>();
  const auto dx = args.dx.view<T, 2>(), along = along_tensor.view<T, 2>(), sums = parts.view<T, 2>();
  const T* const weight = args.weight.as<const T>();
  const int64_t tokens = x.extent(0), channels = x.extent(1);
  parallel_for(tokens, kTokensPerTask, [&](int64_t begin, int64_t end) {
    T* const sum = &sums(begin / kTokensPerTask, 0);
    for (int64_t t = begin; t < end; ++t)
      groups.for_each([&](int64_t g, int64_t from, int64_t to) {
        T shared = 0;
        for (int64_t c = from; c < to; ++c) {
          const T gradient = dout(t, c) * x(t, c) * rstd(t, g);
          sum[c] += gradient;
          shared += gradient * weight[c];
        }
        along(t, g) = shared;
      });
  });
  ranks.sum(along_tensor);
  parallel_for(tokens, kTokensPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t)
      groups.for_each([&](int64_t g, int64_t from, int64_t to) {
        const T r = rstd(t, g), back = along(t, g) * r / static_cast<T>(args.width);
        for (int64_t c = from; c < to; ++c) dx(t, c) = r * (dout(t, c) * weight[c] - x(t, c) * back);
      });
  });
  T* const dweight = args.dweight.as<T>();
  for (int64_t task = 0; task < sums.extent(0); ++task)
    for (int64_t c = 0; c < channels; ++c) dweight[c] += sums(task, c);
}

}  // namespace

void split_rms_norm(const SplitRmsNormArgs& args, TensorGroup& ranks, const Exec& exec) {
  check(args.x, args.rstd, args.weight, args.first, args.width);
  expect_shape("split_rms_norm out", args.out, args.x.shape());
  expect_cpu(exec);
  const Groups groups{args.first, args.width, args.x.extent(1)};
  with_real(args.x.dtype(), [&]<class T>(T) { forward<T>(args, groups, ranks); });
}

void split_rms_norm_backward(const SplitRmsNormBackwardArgs& args, TensorGroup& ranks, const Exec& exec) {
  check(args.x, args.rstd, args.weight, args.first, args.width);
  expect_shape("split_rms_norm dx", args.dx, args.x.shape());
  expect_shape("split_rms_norm dout", args.dout, args.x.shape());
  expect_shape("split_rms_norm dweight", args.dweight, args.weight.shape());
  expect_cpu(exec);
  const Arena::Scope scratch(*exec.arena);
  const int64_t tasks = (args.x.extent(0) + kTokensPerTask - 1) / kTokensPerTask;
  const Tensor along = exec.arena->zeroed(args.x.dtype(), args.rstd.shape());
  const Tensor parts = exec.arena->zeroed(args.x.dtype(), {tasks, args.x.extent(1)});
  const Groups groups{args.first, args.width, args.x.extent(1)};
  with_real(args.x.dtype(), [&]<class T>(T) { backward<T>(args, groups, along, parts, ranks); });
}

}  // namespace hyscale::kernels
