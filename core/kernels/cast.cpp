#include "core/kernels/cast.h"

#include "core/base/error.h"
#include "core/kernels/cuda/twins.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {
namespace {

constexpr int64_t kGrain = 65536;

double load_as_double(float value) { return static_cast<double>(value); }
double load_as_double(double value) { return value; }
double load_as_double(bf16 value) { return static_cast<double>(to_float(value)); }
void store_rounded(float& to, double value) { to = static_cast<float>(value); }
void store_rounded(double& to, double value) { to = value; }
void store_rounded(bf16& to, double value) { to = to_bf16(static_cast<float>(value)); }

template <class F>
void with_float(const Tensor& tensor, F&& fn) {
  switch (tensor.dtype()) {
    case DType::f32:
      return fn(tensor.as<float>());
    case DType::f64:
      return fn(tensor.as<double>());
    case DType::bf16:
      return fn(tensor.as<bf16>());
    default:
      throw ShapeError("cast: no dtype to compute with: " + tensor.describe());
  }
}

}  // namespace

void cast(const CastArgs& args, const Exec& exec) {
  expect_shape("cast out", args.out, args.x.shape());
  if (!args.x.is_dense() || !args.out.is_dense()) throw ShapeError("cast needs dense tensors");
  if (exec.device == Device::cuda) return cuda::cast(args, exec);
  with_float(args.x, [&](const auto* x) {
    with_float(args.out, [&](auto* out) {
      parallel_for(args.x.numel(), kGrain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) store_rounded(out[i], load_as_double(x[i]));
      });
    });
  });
}

}  // namespace hyscale::kernels
