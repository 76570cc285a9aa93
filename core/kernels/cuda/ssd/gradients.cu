#include "core/kernels/cuda/ssd/gradients_by_column.cuh"
#include "core/kernels/cuda/ssd/gradients_by_row.cuh"

namespace hyscale::kernels::cuda::ssd {
namespace {

/// The two roles of a chunk run side by side, so that the second finds what the first has read in the cache.
template <int P, int N>
__global__ void __launch_bounds__(kThreads, 1) gradient_kernel(GradientArgs args) {
  extern __shared__ __align__(1024) char memory[];
  const Task task(args.s, blockIdx.x / 2, args.splits);
  const Place<P, N> place(args, task, memory);
  if (blockIdx.x % 2 == 0) {
    ByColumn<P, N> role{place, {}};
    role.run();
  } else {
    ByRow<P, N> role{place, {}, {}};
    role.run();
  }
}

}  // namespace

int head_splits(const Sizes& sizes, int tasks_of_chunk) {
  constexpr int64_t kProcessors = 132;  // of the largest parts; a constant, so that results do not hang on the machine
  constexpr double kStart = 1.5;        // what a task costs beside its heads
  const int heads = sizes.heads_of_group();
  int best = 1;
  double least = 0;
  for (int splits = 1; splits <= heads; ++splits) {
    if (heads % splits != 0) continue;
    const int64_t tasks = sizes.sequences * sizes.chunks * sizes.groups * splits * tasks_of_chunk;
    const double cost = static_cast<double>(divide_up(tasks, kProcessors)) * (heads / splits + kStart);
    if (splits == 1 || cost < least) best = splits, least = cost;
  }
  return best;
}

int most_shared(Tiles tiles) {
  int bytes = 0;
  with_tiles(tiles, [&]<int P, int N>() { bytes = GradientShape<P, N>::kBytes; });
  return bytes;
}

void gradients(const Sizes& sizes, Tiles tiles, const HalfInputs& in, Rows<const Half> dy, const Decays& decays,
               const Half* states, const Half* end_gradients, Rows<Half> dx, const BackwardScratch& scratch,
               cudaStream_t stream) {
  const GradientArgs args{sizes,  in.x,   in.b,          in.c, dy,      in.d,
                          decays, states, end_gradients, dx,   scratch, scratch.dc_slots};
  with_tiles(tiles, [&]<int P, int N>() {
    using Layout = GradientShape<P, N>;
    allow_shared(gradient_kernel<P, N>, Layout::kBytes);
    const int64_t tasks = 2 * sizes.sequences * sizes.chunks * sizes.groups * args.splits;
    gradient_kernel<P, N><<<static_cast<unsigned>(tasks), kThreads, Layout::kBytes, stream>>>(args);
  });
  check_launch("ssd gradients");
}

}  // namespace hyscale::kernels::cuda::ssd
