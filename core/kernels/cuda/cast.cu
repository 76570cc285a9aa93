#include "core/kernels/cuda/launch.h"
#include "core/kernels/cuda/twins.h"

namespace hyscale::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPerThread = 8;

template <class To, class From>
__global__ void __launch_bounds__(kThreads) cast_kernel(To* out, const From* x, int64_t count) {
  const int64_t first = (static_cast<int64_t>(blockIdx.x) * kPerThread) * kThreads + threadIdx.x;
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) {
    const int64_t at = first + static_cast<int64_t>(i) * kThreads;
    if (at < count) out[at] = from_f32<To>(to_f32(x[at]));
  }
}

}  // namespace

void cast(const CastArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "cast");
  const int64_t count = args.x.numel();
  if (count == 0) return;
  const auto blocks = static_cast<unsigned>(divide_up(count, kThreads * kPerThread));
  with_activation("cast", args.x.dtype(), [&]<class From>(From) {
    with_activation("cast", args.out.dtype(), [&]<class To>(To) {
      cast_kernel<<<blocks, kThreads, 0, cuda_context(exec).stream()>>>(pointer_to<To>(args.out),
                                                                        pointer_to<const From>(args.x), count);
    });
  });
  check_launch("cast");
}

}  // namespace hyscale::kernels::cuda
