// dt and log decays of all tokens, turned from rows of tokens to rows of heads.
#include "core/kernels/cuda/ssd/sizes.h"

namespace hyscale::kernels::cuda::ssd {
namespace {

constexpr int kSide = 32;
constexpr int kRowsAtOnce = 8;

template <class T>
__global__ void __launch_bounds__(kSide* kRowsAtOnce)
    prepare_kernel(Sizes s, Rows<const T> raw, const float* bias, const float* a_log, Rows<const int32_t> begins,
                   Decays out) {
  __shared__ float tile[kSide][kSide + 1];
  const int64_t parts = s.padded() / kSide, sequence = blockIdx.x / parts, first = blockIdx.x % parts * kSide;
  const int first_head = static_cast<int>(blockIdx.y) * kSide, column = static_cast<int>(threadIdx.x);
  for (int r = static_cast<int>(threadIdx.y); r < kSide; r += kRowsAtOnce) {
    const int64_t t = first + r;
    const int h = first_head + column;
    float dt = 0;
    if (t < s.length && h < s.heads) {
      const float v = to_f32(raw[sequence * s.length + t][h]) + bias[h];
      dt = v > 20 ? v : log1pf(expf(v));
    }
    tile[r][column] = dt;
  }
  __syncthreads();
  const int64_t t = first + column;
  const bool starts = begins.data != nullptr && t > 0 && t < s.length && begins[sequence][t] == t;
  for (int r = static_cast<int>(threadIdx.y); r < kSide && first_head + r < s.heads; r += kRowsAtOnce) {
    constexpr float kLog2E = 1.44269504088896340736F;
    const int64_t at = (sequence * s.heads + first_head + r) * s.padded() + t;
    const float dt = tile[column][r];
    out.dt[at] = dt;
    out.log_decay[at] = starts ? kReset : fmaxf(-dt * expf(a_log[first_head + r]) * kLog2E, kReset);
  }
}

}  // namespace

void prepare(const Sizes& sizes, const SsdInputs& in, const Decays& decays, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>(sizes.sequences * sizes.padded() / kSide),
                  static_cast<unsigned>(divide_up(sizes.heads, kSide)));
  with_activation("ssd", in.dt_raw.dtype(), [&]<class T>(T) {
    prepare_kernel<<<grid, dim3(kSide, kRowsAtOnce), 0, stream>>>(
        sizes, rows_of<const T>(in.dt_raw), pointer_to<const float>(in.dt_bias), pointer_to<const float>(in.a_log),
        rows_of<const int32_t>(in.document_begins), decays);
  });
  check_launch("ssd prepare");
}

}  // namespace hyscale::kernels::cuda::ssd
