#pragma once

#include "core/kernels/cuda/ssd/sizes.h"

// Tensor-core products of 16 x 16 x 16, and the shared memory they read.
namespace hyscale::kernels::cuda::ssd {

constexpr unsigned kAll = 0xffffffffU;

inline __device__ uint32_t shared_address(const void* p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); }

inline __device__ float exp2_of(float v) {
  float r;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v));
  return r;
}

/// Copies 16 bytes, or writes zeros.
inline __device__ void copy_async(uint32_t to, const void* from, bool there) {
  const int bytes = there ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
}
inline __device__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits until all but the last `Left` commits of this thread are there.
template <int Left>
inline __device__ void await_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Left) : "memory");
}

inline __device__ void load_matrices(uint32_t (&r)[4], uint32_t from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from)
               : "memory");
}
inline __device__ void load_matrices_turned(uint32_t (&r)[4], uint32_t from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from)
               : "memory");
}
inline __device__ void store_matrices(uint32_t to, const uint32_t (&r)[4]) {
#if __CUDA_ARCH__ < 900  // no stmatrix: lane l holds a pair of row l / 4, whose address lane 8 m + l / 4 has
  const unsigned lane = threadIdx.x % 32;
#pragma unroll
  for (unsigned m = 0; m < 4; ++m) {
    const uint32_t row = __shfl_sync(kAll, to, static_cast<int>(8 * m + lane / 4));
    asm volatile("st.shared.b32 [%0], %1;" ::"r"(row + lane % 4 * 4), "r"(r[m]) : "memory");
  }
  __syncwarp();
#else
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(to), "r"(r[0]), "r"(r[1]),
               "r"(r[2]), "r"(r[3])
               : "memory");
#endif
}
inline __device__ uint4 load_shared16(uint32_t from) {
  uint4 v;
  asm volatile("ld.shared.v4.b32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "r"(from)
               : "memory");
  return v;
}

/// c[4] += a · b for 16 x 16 by 16 x 8.
inline __device__ void multiply_8(float* c, const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace hyscale::kernels::cuda::ssd
