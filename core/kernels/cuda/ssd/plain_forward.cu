#include "core/kernels/cuda/ssd/plain.cuh"

namespace hyscale::kernels::cuda::ssd {
namespace {

/// Entries of the state are independent of one another: each thread carries one through all tokens and leaves it at
/// each chunk's start.
template <class T>
__global__ void __launch_bounds__(kPlainThreads)
    plain_walk_kernel(Sizes s, PlainInputs<T> in, Decays decays, float* states, float* final_state) {
  const int size = s.d_state * s.head_dim;
  const int64_t owner = blockIdx.x, sequence = owner / s.heads;
  const int head = static_cast<int>(owner % s.heads), group = head / s.heads_of_group();
  const int at = static_cast<int>(blockIdx.y) * kPlainThreads + static_cast<int>(threadIdx.x);
  if (at >= size) return;
  const int n = at / s.head_dim, p = at % s.head_dim;
  float state = in.initial != nullptr ? in.initial[owner * size + at] : 0;
  for (int chunk = 0; chunk < s.chunks; ++chunk) {
    const int64_t block = s.block(sequence, head, chunk), row = s.row(sequence, chunk);
    states[block * size + at] = state;
    const int count = s.count(chunk);
    for (int t = 0; t < count; ++t) {
      const float x = to_f32(in.x[row + t][head * s.head_dim + p]), b = to_f32(in.b[row + t][group * s.d_state + n]);
      state = exp2f(decays.log_decay[block * s.chunk + t]) * state + decays.dt[block * s.chunk + t] * b * x;
    }
  }
  if (final_state != nullptr) final_state[owner * size + at] = state;
}

/// One block of threads for each chunk of each head.
template <class T>
__global__ void __launch_bounds__(kPlainThreads)
    plain_output_kernel(Sizes s, PlainInputs<T> in, Decays decays, const float* states, Rows<T> y) {
  __shared__ PlainChunk chunk;
  const int64_t block = blockIdx.x, sequence = block / s.chunks / s.heads;
  const int head = static_cast<int>(block / s.chunks % s.heads), index = static_cast<int>(block % s.chunks);
  const int64_t row = s.row(sequence, index);
  const int count = s.count(index), first_n = head / s.heads_of_group() * s.d_state, first_p = head * s.head_dim;
  set_decays(chunk, decays, block * s.chunk);
  products(chunk.scores, in.c[row] + first_n, in.c.stride, in.b[row] + first_n, in.b.stride, s.d_state, count);
  __syncthreads();
  const float* const state = states + block * s.d_state * s.head_dim;
  for (int at = static_cast<int>(threadIdx.x); at < count * s.head_dim; at += kPlainThreads) {
    const int i = at / s.head_dim, p = at % s.head_dim;
    const T* const c = in.c[row + i] + first_n;
    float before = 0, sum = 0;
    for (int n = 0; n < s.d_state; ++n) before += to_f32(c[n]) * state[n * s.head_dim + p];
    for (int j = 0; j <= i; ++j)
      sum += chunk.scores[i][j] * chunk.decay[i][j] * chunk.dt[j] * to_f32(in.x[row + j][first_p + p]);
    const float skip = in.d[head] * to_f32(in.x[row + i][first_p + p]);
    y[row + i][first_p + p] = from_f32<T>(chunk.from_start[i] * before + sum + skip);
  }
}

}  // namespace

void plain_forward(const Sizes& sizes, const SsdInputs& in, const Decays& decays, float* states, const Tensor& y,
                   const Tensor& final_state, cudaStream_t stream) {
  with_activation("ssd", in.x.dtype(), [&]<class T>(T) {
    const PlainInputs<T> inputs(in);
    const dim3 entries(static_cast<unsigned>(sizes.sequences * sizes.heads),
                       static_cast<unsigned>(divide_up(sizes.d_state * sizes.head_dim, kPlainThreads)));
    plain_walk_kernel<T>
        <<<entries, kPlainThreads, 0, stream>>>(sizes, inputs, decays, states, pointer_to<float>(final_state));
    plain_output_kernel<T><<<static_cast<unsigned>(sizes.blocks()), kPlainThreads, 0, stream>>>(sizes, inputs, decays,
                                                                                                states, rows_of<T>(y));
  });
  check_launch("ssd plain forward");
}

}  // namespace hyscale::kernels::cuda::ssd
