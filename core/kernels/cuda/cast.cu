#include <algorithm>

#include "core/kernels/cuda/pack.h"
#include "core/kernels/cuda/twins.h"

namespace hyscale::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPacks = 4;  // loads that a thread has under way

// A block takes kPacks packs of N entries a thread, its threads' packs side by side; the last block what is left.
template <int N, class To, class From>
__global__ void __launch_bounds__(kThreads) cast_kernel(To* out, const From* x, int64_t count) {
  constexpr int kApart = kThreads * N;
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * kPacks * kApart;
  const int thread = static_cast<int>(threadIdx.x);
  out += begin, x += begin;
  if (count - begin < kPacks * kApart) {
    const int left = static_cast<int>(count - begin);
#pragma unroll 1
    for (int at = thread; at < left; at += kThreads) out[at] = from_f32<To>(to_f32(x[at]));
    return;
  }
  LoadedPack<From, N> loaded[kPacks];
#pragma unroll
  for (int i = 0; i < kPacks; ++i) loaded[i] = load_packed<N>(x + thread * N + i * kApart);
#pragma unroll
  for (int i = 0; i < kPacks; ++i) {
    float values[N];
#pragma unroll
    for (int j = 0; j < N; ++j) values[j] = loaded[i][j];
    store_pack(out + thread * N + i * kApart, values);
  }
}

template <int N, class To, class From>
void launch(To* out, const From* x, int64_t count, const Exec& exec) {
  const auto blocks = static_cast<unsigned>(divide_up(count, int64_t{kThreads} * kPacks * N));
  cast_kernel<N><<<blocks, kThreads, 0, cuda_context(exec).stream()>>>(out, x, count);
}

}  // namespace

void cast(const CastArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "cast");
  const int64_t count = args.x.numel();
  if (count == 0) return;
  with_activation("cast", args.x.dtype(), [&]<class From>(From) {
    with_activation("cast", args.out.dtype(), [&]<class To>(To) {
      constexpr int kFull = 16 / static_cast<int>(std::max(sizeof(To), sizeof(From)));
      To* const out = pointer_to<To>(args.out);
      const From* const x = pointer_to<const From>(args.x);
      if ((reinterpret_cast<uintptr_t>(out) | reinterpret_cast<uintptr_t>(x)) % 16 == 0)
        launch<kFull>(out, x, count, exec);
      else
        launch<1>(out, x, count, exec);
    });
  });
  check_launch("cast");
}

}  // namespace hyscale::kernels::cuda
