#pragma once

#include <cstdint>

#include "core/kernels/cuda/launch.h"
#include "core/kernels/ssd.h"

// What the kernels of the scan share, and what they leave for each other.
namespace hyscale::kernels::cuda::ssd {

using Half = __nv_bfloat16;

/// A scan as device code sees it. A block is one chunk of one head of one sequence; arrays "by block" hold their
/// blocks in this order, arrays "by token" hold a block's `chunk` tokens together, also behind the sequence's end.
struct Sizes {
  int64_t sequences, length;
  int heads, head_dim, groups, d_state;
  int chunk, chunks;
  __host__ __device__ int heads_of_group() const { return heads / groups; }
  __host__ __device__ int64_t padded() const { return static_cast<int64_t>(chunk) * chunks; }
  __host__ __device__ int64_t blocks() const { return sequences * heads * chunks; }
  __host__ __device__ int64_t block(int64_t sequence, int head, int index) const {
    return (sequence * heads + head) * chunks + index;
  }
  /// First row of a chunk in tensors of [tokens, ..], and how many of its tokens there are.
  __host__ __device__ int64_t row(int64_t sequence, int index) const {
    return sequence * length + static_cast<int64_t>(index) * chunk;
  }
  __host__ __device__ int count(int index) const {
    const int64_t left = length - static_cast<int64_t>(index) * chunk;
    return left < chunk ? static_cast<int>(left) : chunk;
  }
};

/// By token: dt, and dt·A in units of log 2 with kReset where a document begins. 0 behind the end.
struct Decays {
  float *dt, *log_decay;
};
constexpr float kReset = -1e30F;  // a chunk's sum of them is still a number

/// What backward computes by token and by block before the gradients of dt and of the parameters are put together.
/// The gradient of a token's log decay is inside + (sum of from_start from it on) + (sum of to_end before it) +
/// through.
constexpr int kParts = 8;  // partial sums by block
struct BackwardScratch {
  float *inside, *from_start, *to_end, *input;  // by token
  float *through, *skip;                        // by block, kParts each: their sums count
  float *db, *dc;                               // [slots, tokens, groups·d_state]
  int db_slots, dc_slots;
  float* sums;  // [3, heads, sequences·chunks] of the gradients of a_log / A, dt_bias and d
};

/// Tensors of the fast path with their element types. Null: absent.
struct HalfInputs {
  Rows<const Half> x, b, c;
  const float *d, *initial;
};

// Launches, in the order of their use. Each enqueues.
void prepare(const Sizes& sizes, const SsdInputs& in, const Decays& decays, cudaStream_t stream);

/// states by block [P, N], bf16: at each chunk's start; P, N: 64 or 128, not below head_dim and d_state.
struct Tiles {
  int p, n;
};
/// Calls fn<P, N>().
template <class F>
void with_tiles(Tiles tiles, F&& fn) {
  if (tiles.p == 64) return tiles.n == 64 ? fn.template operator()<64, 64>() : fn.template operator()<64, 128>();
  return tiles.n == 64 ? fn.template operator()<128, 64>() : fn.template operator()<128, 128>();
}
/// Lets a kernel have so much dynamic shared memory; cheap when it already may.
template <class Kernel>
void allow_shared(Kernel* kernel, int bytes) {
  check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes), "ssd shared memory");
}
/// Most shared memory that a kernel of the fast path takes for a block, in bytes: that of `gradients`, which holds more
/// than the others do.
int most_shared(Tiles tiles);
void walk(const Sizes& sizes, Tiles tiles, const HalfInputs& in, const Decays& decays, Half* states, float* final_state,
          cudaStream_t stream);
/// The gradient of the state at each chunk's end, walking back.
void walk_back(const Sizes& sizes, Tiles tiles, const HalfInputs& in, Rows<const Half> dy, const Decays& decays,
               Half* end_gradients, cudaStream_t stream);
void outputs(const Sizes& sizes, Tiles tiles, const HalfInputs& in, const Decays& decays, const Half* states,
             Rows<Half> y, cudaStream_t stream);
/// Into how many parts a group's heads are split when each chunk is worked on for itself.
int head_splits(const Sizes& sizes, int tasks_of_chunk);
void gradients(const Sizes& sizes, Tiles tiles, const HalfInputs& in, Rows<const Half> dy, const Decays& decays,
               const Half* states, const Half* end_gradients, Rows<Half> dx, const BackwardScratch& scratch,
               cudaStream_t stream);

void finish(const Sizes& sizes, const SsdInputs& in, const Decays& decays, const BackwardScratch& scratch,
            const SsdGradients& gradients, cudaStream_t stream);

// The plain path: any shape, f32 or bf16. States are f32 [d_state, head_dim] by block.
void plain_forward(const Sizes& sizes, const SsdInputs& in, const Decays& decays, float* states, const Tensor& y,
                   const Tensor& final_state, cudaStream_t stream);
void plain_backward(const Sizes& sizes, const SsdInputs& in, const Decays& decays, const float* states,
                    float* end_gradients, const Tensor& dy, const Tensor& dx, const BackwardScratch& scratch,
                    cudaStream_t stream);

}  // namespace hyscale::kernels::cuda::ssd
