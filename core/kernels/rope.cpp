#include "core/kernels/rope.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/kernels/cuda/twins.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {

// Null where every sequence begins at position 0.
static const int32_t* begins_of(const RopeArgs& args) {
  if (args.begins.empty()) return nullptr;
  expect_shape("rope begins", args.begins, {args.x.extent(0) / args.length});
  const int32_t* const begins = args.begins.as<const int32_t>();
  const int64_t last = *std::max_element(begins, begins + args.begins.extent(0)) + args.length;
  if (last > args.cos.extent(0))
    throw ShapeError(fmt::format("rope: positions up to {}, tables for {}", last, args.cos.extent(0)));
  return begins;
}

void rope(const RopeArgs& args, const Exec& exec) {
  const int64_t tokens = args.x.extent(0), heads = args.x.extent(1), pairs = args.cos.extent(1);
  expect_shape("rope sin", args.sin, args.cos.shape());
  if (2 * pairs > args.x.extent(2))
    throw ShapeError(fmt::format("rope: {} pairs of channels do not fit into {}", pairs, args.x.describe()));
  if (args.length < 1 || args.length > args.cos.extent(0))
    throw ShapeError(fmt::format("rope: sequences of {} tokens, tables for {}", args.length, args.cos.extent(0)));
  if (exec.device == Device::cuda) return cuda::rope(args, exec);
  const int32_t* const begins = begins_of(args);
  with_real(args.x.dtype(), [&]<class T>(T) {
    const auto x = args.x.view<T, 3>();
    const auto cos = args.cos.view<T, 2>(), sin = args.sin.view<T, 2>();
    const T sign = args.inverse ? T(-1) : T(1);
    parallel_for(tokens, 128, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t position = t % args.length + (begins != nullptr ? begins[t / args.length] : 0);
        const T *c = &cos(position, 0), *s = &sin(position, 0);
        for (int64_t h = 0; h < heads; ++h) {
          T *a = &x(t, h, 0), *b = a + pairs;
#pragma omp simd
          for (int64_t i = 0; i < pairs; ++i) {
            const T p = a[i], q = b[i];
            a[i] = p * c[i] - sign * q * s[i];
            b[i] = q * c[i] + sign * p * s[i];
          }
        }
      }
    });
  });
}

void rope_table(const Tensor& cos, const Tensor& sin, std::span<const double> radians, double amplitude) {
  const auto pairs = static_cast<int64_t>(radians.size());
  expect_shape("rope cos", cos, {cos.extent(0), pairs});
  expect_shape("rope sin", sin, cos.shape());
  with_real(cos.dtype(), [&]<class T>(T) {
    const auto c = cos.view<T, 2>(), s = sin.view<T, 2>();
    for (int64_t t = 0; t < c.extent(0); ++t)
      for (int64_t i = 0; i < pairs; ++i) {
        const double angle = static_cast<double>(t) * radians[static_cast<size_t>(i)];
        c(t, i) = static_cast<T>(amplitude * std::cos(angle));
        s(t, i) = static_cast<T>(amplitude * std::sin(angle));
      }
  });
}

}  // namespace hyscale::kernels
