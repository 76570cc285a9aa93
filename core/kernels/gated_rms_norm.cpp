#include "core/kernels/gated_rms_norm.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/kernels/cuda/twins.h"
#include "core/kernels/vector_math.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {
namespace {

constexpr int64_t kRows = 32;  // of one task; dweight is summed task by task

template <class T>
void forward_row(const T* y, const T* z, const T* weight, T* out, T* rstd, int64_t width, int64_t groups, T epsilon) {
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t begin = g * width, end = begin + width;
    Vec<T> squares{};
    for_each_vector<T>(begin, end, [&](int64_t i, int64_t lanes) {
      const Vec<T> gate = load_some(z + i, lanes), h = load_some(y + i, lanes) * gate * sigmoid(gate);
      squares += h * h;
      store_some(out + i, h, lanes);
    });
    if (weight == nullptr) continue;
    rstd[g] = 1 / std::sqrt(lane_sum<T>(squares) / static_cast<T>(width) + epsilon);
    for_each_vector<T>(begin, end, [&](int64_t i, int64_t lanes) {
      store_some(out + i, load_some(out + i, lanes) * rstd[g] * load_some(weight + i, lanes), lanes);
    });
  }
}

/// With n = h rstd and dn = dout weight: dh = rstd (dn - n mean(dn n)); without a norm dh = dout. The first pass leaves
/// sigmoid(z) in dz for the second.
template <class T>
void backward_row(const T* y, const T* z, const T* weight, const T* rstd, const T* dout, T* dy, T* dz, T* dweight,
                  int64_t width, int64_t groups) {
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t begin = g * width, end = begin + width;
    const T r = weight == nullptr ? T(1) : rstd[g];
    Vec<T> sum{};
    for_each_vector<T>(begin, end, [&](int64_t i, int64_t lanes) {
      const Vec<T> gate = load_some(z + i, lanes), s = sigmoid(gate);
      store_some(dz + i, s, lanes);
      if (weight == nullptr) return;
      const Vec<T> along = load_some(dout + i, lanes) * load_some(y + i, lanes) * gate * s * r;  // dout n
      store_some(dweight + i, load_some(dweight + i, lanes) + along, lanes);
      sum += along * load_some(weight + i, lanes);
    });
    const T shared = r * lane_sum<T>(sum) / static_cast<T>(width);
    for_each_vector<T>(begin, end, [&](int64_t i, int64_t lanes) {
      const Vec<T> gate = load_some(z + i, lanes), s = load_some(dz + i, lanes), value = load_some(y + i, lanes);
      Vec<T> dh = load_some(dout + i, lanes);
      if (weight != nullptr) dh = r * (dh * load_some(weight + i, lanes) - value * gate * s * shared);
      store_some(dy + i, dh * gate * s, lanes);
      store_some(dz + i, dh * value * s * (1 + gate * (1 - s)), lanes);
    });
  }
}

void check(const GatedRmsNormArgs& args, const Tensor& rstd, std::initializer_list<const Tensor*> like_y) {
  const int64_t channels = args.y.extent(1);
  if (args.groups < 1 || channels % args.groups != 0)
    throw ShapeError("gated_rms_norm: " + std::to_string(args.groups) + " groups do not divide " + args.y.describe());
  for (const Tensor* one : like_y) {
    expect_shape("gated_rms_norm tensor", *one, args.y.shape());
    if (one->stride(1) != 1) throw ShapeError("gated_rms_norm: entries of a row must be contiguous");
  }
  if (args.weight.empty()) return;
  expect_shape("gated_rms_norm weight", args.weight, {channels});
  expect_shape("gated_rms_norm rstd", rstd, {args.y.extent(0), args.groups});
}

template <class T>
void forward(const GatedRmsNormArgs& args, const Tensor& out_tensor, const Tensor& rstd_tensor) {
  const auto y = args.y.view<const T, 2>(), z = args.z.view<const T, 2>();
  const auto out = out_tensor.view<T, 2>();
  const bool normed = !args.weight.empty();
  const T* const weight = normed ? args.weight.as<const T>() : nullptr;
  T* const rstd = normed ? rstd_tensor.as<T>() : nullptr;
  const int64_t groups = normed ? args.groups : 1;
  parallel_for(y.extent(0), kRows, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t)
      forward_row<T>(&y(t, 0), &z(t, 0), weight, &out(t, 0), normed ? rstd + t * groups : nullptr, y.extent(1) / groups,
                     groups, static_cast<T>(args.epsilon));
  });
}

template <class T>
void backward(const GatedRmsNormArgs& args, const Tensor& rstd_tensor, const Tensor& dout_tensor,
              const Tensor& dy_tensor, const Tensor& dz_tensor, const Tensor& dweight, Arena& arena) {
  const Arena::Scope scope(arena);
  const auto y = args.y.view<const T, 2>(), z = args.z.view<const T, 2>(), dout = dout_tensor.view<const T, 2>();
  const auto dy = dy_tensor.view<T, 2>(), dz = dz_tensor.view<T, 2>();
  const bool normed = !args.weight.empty();
  const int64_t tokens = y.extent(0), channels = y.extent(1), blocks = (tokens + kRows - 1) / kRows;
  const int64_t groups = normed ? args.groups : 1;
  const T* const weight = normed ? args.weight.as<const T>() : nullptr;
  const T* const rstd = normed ? rstd_tensor.as<const T>() : nullptr;
  T* const parts = normed ? arena.zeroed(args.y.dtype(), {blocks, channels}).template as<T>() : nullptr;
  parallel_for(tokens, kRows, [&](int64_t begin, int64_t end) {
    T* const part = normed ? parts + begin / kRows * channels : nullptr;
    for (int64_t t = begin; t < end; ++t)
      backward_row<T>(&y(t, 0), &z(t, 0), weight, normed ? rstd + t * groups : nullptr, &dout(t, 0), &dy(t, 0),
                      &dz(t, 0), part, channels / groups, groups);
  });
  if (!normed) return;
  for (int64_t block = 0; block < blocks; ++block)
    for (int64_t i = 0; i < channels; ++i) dweight.as<T>()[i] += parts[block * channels + i];
}

}  // namespace

void gated_rms_norm(const GatedRmsNormArgs& args, const Tensor& out, const Tensor& rstd, const Exec& exec) {
  check(args, rstd, {&args.y, &args.z, &out});
  if (exec.device == Device::cuda) return cuda::gated_rms_norm(args, out, rstd, exec);
  with_real(out.dtype(), [&](auto real) { forward<decltype(real)>(args, out, rstd); });
}

void gated_rms_norm_backward(const GatedRmsNormArgs& args, const Tensor& rstd, const Tensor& dout, const Tensor& dy,
                             const Tensor& dz, const Tensor& dweight, const Exec& exec) {
  check(args, rstd, {&args.y, &args.z, &dout, &dy, &dz});
  if (!args.weight.empty()) expect_shape("gated_rms_norm dweight", dweight, args.weight.shape());
  if (exec.device == Device::cuda) return cuda::gated_rms_norm_backward(args, rstd, dout, dy, dz, dweight, exec);
  with_real(dout.dtype(), [&](auto real) { backward<decltype(real)>(args, rstd, dout, dy, dz, dweight, *exec.arena); });
}

}  // namespace hyscale::kernels
