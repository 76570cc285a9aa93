#include "core/kernels/cuda/ssd/plain.cuh"

namespace hyscale::kernels::cuda::ssd {
namespace {

template <class T>
struct PlainBackwardArgs {
  Sizes s;
  PlainInputs<T> in;
  Decays decays;
  const float *states, *ends;
  Rows<const T> dy;
  Rows<T> dx;
  BackwardScratch out;
};

/// Shared memory of a chunk's backward.
struct PlainBackwardChunk {
  PlainChunk chunk;
  Square inputs;  // G = dy xᵀ; then G ∘ L dt; then, with the scores, sums over the columns before each
  float partial[kPlainThreads];
};

/// The gradients of the states at the chunks' ends, as plain_walk_kernel the other way round.
template <class T>
__global__ void __launch_bounds__(kPlainThreads)
    plain_walk_back_kernel(Sizes s, Rows<const T> c, Rows<const T> dy, Decays decays, float* ends) {
  const int size = s.d_state * s.head_dim;
  const int64_t sequence = blockIdx.x / s.heads;
  const int head = static_cast<int>(blockIdx.x % s.heads), group = head / s.heads_of_group();
  const int at = static_cast<int>(blockIdx.y) * kPlainThreads + static_cast<int>(threadIdx.x);
  if (at >= size) return;
  const int n = at / s.head_dim, p = at % s.head_dim;
  float end = 0;
  for (int chunk = s.chunks - 1; chunk >= 0; --chunk) {
    const int64_t block = s.block(sequence, head, chunk), row = s.row(sequence, chunk);
    ends[block * size + at] = end;
    for (int t = s.count(chunk) - 1; t >= 0; --t) {
      const float v = to_f32(dy[row + t][head * s.head_dim + p]) * to_f32(c[row + t][group * s.d_state + n]);
      end = exp2f(decays.log_decay[block * s.chunk + t]) * (end + v);
    }
  }
}

/// One head of one chunk: pointers to its rows.
template <class T>
struct PlainHead {
  const T *x, *dy, *b, *c;
  const float *state, *end;
  int64_t block, row;
  int head, count;
};

/// This thread's part of a sum over threads, by block.
inline __device__ void sum_parts(float* partial, float v, float* to) {
  __syncthreads();
  partial[threadIdx.x] = v;
  __syncthreads();
  if (threadIdx.x >= kParts) return;
  float sum = 0;
  for (int i = 0; i < kPlainThreads / kParts; ++i) sum += partial[threadIdx.x * (kPlainThreads / kParts) + i];
  to[threadIdx.x] = sum;
}

/// By token: what its output owes to the state at the chunk's start, and its input to the one at the end; dc and db.
template <class T>
__device__ void through_states(const PlainBackwardArgs<T>& args, const PlainChunk& chunk, const PlainHead<T>& h,
                               float* db, float* dc, int64_t width) {
  const Sizes& s = args.s;
  for (int t = static_cast<int>(threadIdx.x) / 32; t < h.count; t += kPlainThreads / 32) {
    float of_start = 0, of_end = 0;
    for (int n = static_cast<int>(threadIdx.x) % 32; n < s.d_state; n += 32) {
      const float *const start = h.state + n * s.head_dim, *const end = h.end + n * s.head_dim;
      float from_start = 0, from_end = 0;
      for (int p = 0; p < s.head_dim; ++p) {
        from_start += to_f32(h.dy[t * args.dy.stride + p]) * start[p];
        from_end += to_f32(h.x[t * args.in.x.stride + p]) * end[p];
      }
      from_start *= chunk.from_start[t], from_end *= chunk.to_end[t] * chunk.dt[t];
      dc[t * width + n] += from_start, db[t * width + n] += from_end;
      of_start += from_start * to_f32(h.c[t * args.in.c.stride + n]);
      of_end += from_end * to_f32(h.b[t * args.in.b.stride + n]);
    }
    for (int step = 16; step > 0; step /= 2) {
      of_start += __shfl_xor_sync(0xffffffffU, of_start, step);
      of_end += __shfl_xor_sync(0xffffffffU, of_end, step);
    }
    if (threadIdx.x % 32 == 0) {
      args.out.from_start[h.block * s.chunk + t] = of_start;
      args.out.to_end[h.block * s.chunk + t] = of_end;
    }
  }
}

/// dx, and what dt owes to its product with x; a warp for each token.
template <class T>
__device__ void input_gradient(const PlainBackwardArgs<T>& args, const PlainChunk& chunk, const PlainHead<T>& h) {
  const Sizes& s = args.s;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int t = static_cast<int>(threadIdx.x) / 32; t < h.count; t += kPlainThreads / 32) {
    float input = 0;
    for (int p = lane; p < s.head_dim; p += 32) {
      float from_end = 0, v = 0;
      for (int n = 0; n < s.d_state; ++n) from_end += to_f32(h.b[t * args.in.b.stride + n]) * h.end[n * s.head_dim + p];
      for (int i = t; i < h.count; ++i)
        v += chunk.scores[i][t] * chunk.decay[i][t] * to_f32(h.dy[i * args.dy.stride + p]);
      v += chunk.to_end[t] * from_end;
      input += v * to_f32(h.x[t * args.in.x.stride + p]);
      const float skip = args.in.d[h.head] * to_f32(h.dy[t * args.dy.stride + p]);
      args.dx[h.row + t][h.head * s.head_dim + p] = from_f32<T>(chunk.dt[t] * v + skip);
    }
    for (int step = 16; step > 0; step /= 2) input += __shfl_xor_sync(0xffffffffU, input, step);
    if (lane == 0) args.out.input[h.block * s.chunk + t] = input;
  }
}

/// With G in shared.inputs: dc and db through the scores, and the gradients of the decays between tokens.
template <class T>
__device__ void through_scores(const PlainBackwardArgs<T>& args, PlainBackwardChunk& shared, const PlainHead<T>& h,
                               float* db, float* dc, int64_t width) {
  const Sizes& s = args.s;
  const PlainChunk& chunk = shared.chunk;
  Square& square = shared.inputs;
  const int thread = static_cast<int>(threadIdx.x);
  for (int at = thread; at < kPlainChunk * kPlainChunk; at += kPlainThreads) {
    const int i = at / kPlainChunk, j = at % kPlainChunk;
    square[i][j] *= chunk.decay[i][j] * chunk.dt[j];
  }
  __syncthreads();
  for (int at = thread; at < h.count * s.d_state; at += kPlainThreads) {
    const int t = at / s.d_state, n = at % s.d_state;
    float of_c = 0, of_b = 0;
    for (int j = 0; j <= t; ++j) of_c += square[t][j] * to_f32(h.b[j * args.in.b.stride + n]);
    for (int i = t; i < h.count; ++i) of_b += square[i][t] * to_f32(h.c[i * args.in.c.stride + n]);
    dc[t * width + n] += of_c, db[t * width + n] += of_b;
  }
  __syncthreads();
  if (thread < kPlainChunk) {
    float before = 0;
    for (int j = 0; j <= thread; ++j) {
      const float v = square[thread][j] * chunk.scores[thread][j];
      square[thread][j] = before;
      before += v;
    }
  }
  __syncthreads();
  if (thread < kPlainChunk) {
    float sum = 0;
    for (int i = thread; i < kPlainChunk; ++i) sum += square[i][thread];
    args.out.inside[h.block * s.chunk + thread] = sum;
  }
}

template <class T>
__device__ void plain_head_backward(const PlainBackwardArgs<T>& args, PlainBackwardChunk& shared, const PlainHead<T>& h,
                                    float* db, float* dc, int64_t width) {
  const Sizes& s = args.s;
  const int thread = static_cast<int>(threadIdx.x);
  set_decays(shared.chunk, args.decays, h.block * s.chunk);
  products(shared.inputs, h.dy, args.dy.stride, h.x, args.in.x.stride, s.head_dim, h.count);
  for (int t = h.count + thread; t < kPlainChunk; t += kPlainThreads) {
    const int64_t at = h.block * s.chunk + t;
    args.out.from_start[at] = args.out.to_end[at] = args.out.input[at] = 0;
  }
  __syncthreads();
  sum_parts(shared.partial, thread < h.count ? shared.inputs[thread][thread] : 0, args.out.skip + h.block * kParts);
  float through = 0;
  for (int i = thread; i < s.d_state * s.head_dim; i += kPlainThreads) through += h.state[i] * h.end[i];
  sum_parts(shared.partial, through * shared.chunk.whole, args.out.through + h.block * kParts);
  through_states(args, shared.chunk, h, db, dc, width);
  input_gradient(args, shared.chunk, h);
  __syncthreads();
  through_scores(args, shared, h, db, dc, width);
}

/// One block of threads for each chunk of each group; it takes the heads in order, and each thread adds to db and dc in
/// device memory what it alone adds there.
template <class T>
__global__ void __launch_bounds__(kPlainThreads) plain_chunk_kernel(PlainBackwardArgs<T> args) {
  extern __shared__ __align__(16) char memory[];
  auto& shared = *reinterpret_cast<PlainBackwardChunk*>(memory);
  const Sizes& s = args.s;
  const int group = static_cast<int>(blockIdx.x % s.groups), index = static_cast<int>(blockIdx.x / s.groups % s.chunks);
  const int64_t sequence = blockIdx.x / s.groups / s.chunks, row = s.row(sequence, index);
  const int64_t width = static_cast<int64_t>(s.groups) * s.d_state, first = row * width + group * s.d_state;
  float *const db = args.out.db + first, *const dc = args.out.dc + first;
  const T *const b = args.in.b[row] + group * s.d_state, *const c = args.in.c[row] + group * s.d_state;
  const int count = s.count(index);
  for (int at = static_cast<int>(threadIdx.x); at < count * s.d_state; at += kPlainThreads)
    db[at / s.d_state * width + at % s.d_state] = dc[at / s.d_state * width + at % s.d_state] = 0;
  products(shared.chunk.scores, c, args.in.c.stride, b, args.in.b.stride, s.d_state, count);
  for (int i = 0; i < s.heads_of_group(); ++i) {
    const int head = group * s.heads_of_group() + i;
    const int64_t block = s.block(sequence, head, index), state = block * s.d_state * s.head_dim;
    plain_head_backward<T>(args, shared,
                           {args.in.x[row] + head * s.head_dim, args.dy[row] + head * s.head_dim, b, c,
                            args.states + state, args.ends + state, block, row, head, count},
                           db, dc, width);
  }
}

}  // namespace

void plain_backward(const Sizes& sizes, const SsdInputs& in, const Decays& decays, const float* states,
                    float* end_gradients, const Tensor& dy, const Tensor& dx, const BackwardScratch& scratch,
                    cudaStream_t stream) {
  with_activation("ssd", in.x.dtype(), [&]<class T>(T) {
    const PlainInputs<T> inputs(in);
    const Rows<const T> dy_rows = rows_of<const T>(dy);
    const dim3 entries(static_cast<unsigned>(sizes.sequences * sizes.heads),
                       static_cast<unsigned>(divide_up(sizes.d_state * sizes.head_dim, kPlainThreads)));
    plain_walk_back_kernel<T><<<entries, kPlainThreads, 0, stream>>>(sizes, inputs.c, dy_rows, decays, end_gradients);
    allow_shared(plain_chunk_kernel<T>, sizeof(PlainBackwardChunk));
    const auto tasks = static_cast<unsigned>(sizes.sequences * sizes.chunks * sizes.groups);
    plain_chunk_kernel<T><<<tasks, kPlainThreads, sizeof(PlainBackwardChunk), stream>>>(
        {sizes, inputs, decays, states, end_gradients, dy_rows, rows_of<T>(dx), scratch});
  });
  check_launch("ssd plain backward");
}

}  // namespace hyscale::kernels::cuda::ssd
