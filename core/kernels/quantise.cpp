#include "core/kernels/quantise.h"

#include <cmath>

#include "core/base/error.h"
#include "core/kernels/cuda/twins.h"
#include "core/tensor/float8.h"

namespace hyscale::kernels {
namespace {

void check(const QuantiseArgs& a) {
  if (a.x.rank() != 2 || a.x.stride(1) != 1)
    throw ShapeError("quantise: x needs rows of unit stride: " + a.x.describe());
  expect_shape("quantise unscale", a.unscale, {1});
  if (a.out.data() == nullptr && a.turned.data() == nullptr) throw ShapeError("quantise: nothing is wanted");
  const auto expect = [&](const char* name, const Tensor& t, const Shape& shape) {
    if (t.data() == nullptr) return;
    expect_shape(name, t, shape);
    if (t.stride(1) != 1 || (t.dtype() != DType::e4m3 && t.dtype() != DType::e5m2))
      throw ShapeError(std::string(name) + " must be e4m3 or e5m2 in rows of unit stride: " + t.describe());
  };
  expect("quantise out", a.out, {a.x.extent(0), a.x.extent(1)});
  expect("quantise turned", a.turned, {a.x.extent(1), a.x.extent(0)});
  if (a.out.data() != nullptr && a.turned.data() != nullptr && a.out.dtype() != a.turned.dtype())
    throw ShapeError("quantise: out and turned have different dtypes");
}

// NaN when one is not finite.
template <class T>
float largest_of(View<const T, 2> x) {
  float largest = 0;
  for (int64_t r = 0; r < x.extent(0); ++r)
    for (int64_t c = 0; c < x.extent(1); ++c) {
      const auto size = static_cast<float>(std::fabs(to_double(x(r, c))));
      if (!std::isfinite(size)) return std::nanf("");
      largest = std::max(largest, size);
    }
  return largest;
}

template <class T>
void round_all(const QuantiseArgs& args) {
  const View<const T, 2> x = args.x.view<const T, 2>();
  const DType dtype = args.out.data() != nullptr ? args.out.dtype() : args.turned.dtype();
  const float largest = largest_of<T>(x);
  const int shift = float8_shift(dtype, largest);
  *args.unscale.as<float>() = std::isnan(largest) ? largest : std::ldexp(1.0F, -shift);
  auto* const out = static_cast<uint8_t*>(args.out.data());
  auto* const turned = static_cast<uint8_t*>(args.turned.data());
  for (int64_t r = 0; r < x.extent(0); ++r)
    for (int64_t c = 0; c < x.extent(1); ++c) {
      const uint8_t bits = to_float8(dtype, std::ldexp(static_cast<float>(to_double(x(r, c))), shift));
      if (out != nullptr) out[r * args.out.stride(0) + c] = bits;
      if (turned != nullptr) turned[c * args.turned.stride(0) + r] = bits;
    }
}

}  // namespace

void quantise(const QuantiseArgs& args, const Exec& exec) {
  check(args);
  if (exec.device == Device::cuda) return cuda::quantise(args, exec);
  with_floating("quantise", args.x.dtype(), [&]<class T>(T) { round_all<T>(args); });
}

}  // namespace hyscale::kernels
