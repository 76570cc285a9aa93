#include "core/kernels/cast.h"

#include "core/base/error.h"
#include "core/kernels/cuda/twins.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {
namespace {

constexpr int64_t kGrain = 65536;

void store_rounded(float& to, double value) { to = static_cast<float>(value); }
void store_rounded(double& to, double value) { to = value; }
void store_rounded(bf16& to, double value) { to = to_bf16(static_cast<float>(value)); }

}  // namespace

void cast(const CastArgs& args, const Exec& exec) {
  expect_shape("cast out", args.out, args.x.shape());
  if (!args.x.is_dense() || !args.out.is_dense()) throw ShapeError("cast needs dense tensors");
  if (exec.device == Device::cuda) return cuda::cast(args, exec);
  with_floating("cast", args.x.dtype(), [&]<class From>(From) {
    with_floating("cast", args.out.dtype(), [&]<class To>(To) {
      const auto* const x = args.x.as<From>();
      auto* const out = args.out.as<To>();
      parallel_for(args.x.numel(), kGrain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) store_rounded(out[i], to_double(x[i]));
      });
    });
  });
}

}  // namespace hyscale::kernels
