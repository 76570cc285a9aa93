#include <algorithm>
#include <cmath>
#include <cuda_fp8.h>

#include "core/kernels/cuda/pack.h"
#include "core/kernels/cuda/twins.h"

// Twice over x: its largest entry, then the rounded ones.
namespace hyscale::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kTile = 128;         // rows and columns that a block rounds
constexpr int kWords = kTile / 4;  // of a turned row in the tile
constexpr int kRows = 16;          // that a thread looks at for the largest

// Two bf16 at once: without their signs they are ordered like integers, NaN above infinity above all others.
__device__ uint32_t larger(uint32_t a, uint32_t b) { return __vmaxu2(a, b & 0x7fff7fffu); }

__global__ void __launch_bounds__(kThreads)
    largest_kernel(uint32_t* largest, Rows<const __nv_bfloat16> x, int64_t rows, int64_t columns) {
  const int64_t column = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * 8;
  const int64_t first = static_cast<int64_t>(blockIdx.y) * kRows;
  uint32_t found = 0;
  if (column < columns) {
    const int count = static_cast<int>(min(rows - first, int64_t{kRows}));
#pragma unroll 8
    for (int r = 0; r < count; ++r) {
      const uint4 pack = *reinterpret_cast<const uint4*>(x[first + r] + column);
      found = larger(larger(found, pack.x), pack.y);
      found = larger(larger(found, pack.z), pack.w);
    }
  }
  found = max(found & 0xffffu, found >> 16);
  found = __reduce_max_sync(0xffffffffu, found);
  if (threadIdx.x % 32 == 0 && found > 0) atomicMax(largest, found << 16);
}

// As float8_shift; the bits of a float.
template <__nv_fp8_interpretation_t kFormat>
__device__ int shift_of(uint32_t largest) {
  constexpr int kTop = kFormat == __NV_E4M3 ? 8 : 15;  // 1.75 · 2^kTop is the largest
  const int exponent = static_cast<int>(largest >> 23) - 127;
  if (largest == 0 || exponent == 128) return 0;
  const int shift = kTop - exponent - ((largest & 0x7fffffu) <= 0x600000u ? 0 : 1);
  return min(max(shift, -120), 120);
}

template <__nv_fp8_interpretation_t kFormat>
__device__ uint32_t four(uint32_t low, uint32_t high, float scale) {
  const auto pair = [&](uint32_t two) -> uint32_t {
    const float2 values{__uint_as_float(two << 16) * scale, __uint_as_float(two & 0xffff0000u) * scale};
    return __nv_cvt_float2_to_fp8x2(values, __NV_SATFINITE, kFormat);
  };
  return pair(low) | pair(high) << 16;
}

// The 4 × 4 bytes of four words, turned.
__device__ void turn(uint32_t (&w)[4]) {
  const uint32_t ab = __byte_perm(w[0], w[1], 0x5140), cd = __byte_perm(w[2], w[3], 0x5140);
  const uint32_t ab2 = __byte_perm(w[0], w[1], 0x7362), cd2 = __byte_perm(w[2], w[3], 0x7362);
  w[0] = __byte_perm(ab, cd, 0x5410);
  w[1] = __byte_perm(ab, cd, 0x7632);
  w[2] = __byte_perm(ab2, cd2, 0x5410);
  w[3] = __byte_perm(ab2, cd2, 0x7632);
}

struct Rounding {
  Rows<uint8_t> out, turned;
  float* unscale;
  const uint32_t* largest;
  Rows<const __nv_bfloat16> x;
  int64_t rows, columns;
};

// A thread rounds 4 rows of 8 columns at a time, a warp 32 of 32: so its words lie in 32 banks of the turned tile.
template <__nv_fp8_interpretation_t kFormat>
__global__ void __launch_bounds__(kThreads) round_kernel(Rounding a) {
  __shared__ uint32_t tile[kTile][kWords + 1];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int64_t row0 = static_cast<int64_t>(blockIdx.y) * kTile, column0 = static_cast<int64_t>(blockIdx.x) * kTile;
  const uint32_t largest = *a.largest;
  const int shift = shift_of<kFormat>(largest);
  const float scale = __uint_as_float(static_cast<uint32_t>(127 + shift) << 23);
  if (blockIdx.x == 0 && blockIdx.y == 0 && threadIdx.x == 0)
    *a.unscale = largest >= 0x7f800000u ? NAN : __uint_as_float(static_cast<uint32_t>(127 - shift) << 23);
  const int column = warp % 4 * 32 + lane % 4 * 8;
  const auto row_of = [&](int part) { return (warp / 4 + 2 * part) * 32 + lane / 4 * 4; };
  const auto inside = [&](int row) { return row0 + row < a.rows && column0 + column < a.columns; };
  uint4 loaded[2][4];  // all under way at once
#pragma unroll
  for (int part = 0; part < 2; ++part)
    if (inside(row_of(part)))
#pragma unroll
      for (int r = 0; r < 4; ++r)
        loaded[part][r] = *reinterpret_cast<const uint4*>(a.x[row0 + row_of(part) + r] + column0 + column);
#pragma unroll
  for (int part = 0; part < 2; ++part) {
    const int row = row_of(part);
    if (!inside(row)) continue;
    const uint4(&packs)[4] = loaded[part];
    uint32_t left[4], right[4];
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      left[r] = four<kFormat>(packs[r].x, packs[r].y, scale);
      right[r] = four<kFormat>(packs[r].z, packs[r].w, scale);
      if (a.out.data != nullptr)
        *reinterpret_cast<uint2*>(a.out[row0 + row + r] + column0 + column) = make_uint2(left[r], right[r]);
    }
    if (a.turned.data == nullptr) continue;
    turn(left), turn(right);
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      tile[column + c][row / 4] = left[c];
      tile[column + 4 + c][row / 4] = right[c];
    }
  }
  if (a.turned.data == nullptr) return;
  __syncthreads();
  if (row0 + lane * 4 >= a.rows) return;
#pragma unroll
  for (int c = warp; c < kTile; c += kThreads / 32)
    if (column0 + c < a.columns) *reinterpret_cast<uint32_t*>(a.turned[column0 + c] + row0 + lane * 4) = tile[c][lane];
}

Rows<uint8_t> bytes_at(const Tensor& t) {
  if (t.data() == nullptr) return {};
  return {static_cast<uint8_t*>(t.data()), t.stride(0)};
}

void check_vectors(const Tensor& t) {
  if (t.data() == nullptr) return;
  const auto bytes = static_cast<uint64_t>(t.stride(0)) * size_of(t.dtype());
  if (t.extent(0) % 16 != 0 || t.extent(1) % 16 != 0 || (reinterpret_cast<uintptr_t>(t.data()) | bytes) % 16 != 0)
    throw ShapeError("quantise: on a GPU extents are multiples of 16, and rows begin at multiples of 16 bytes: " +
                     t.describe());
}

}  // namespace

void quantise(const QuantiseArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "quantise");
  if (args.x.numel() == 0) return;
  for (const Tensor* t : {&args.x, &args.out, &args.turned}) check_vectors(*t);
  const Arena::Scope scratch(*exec.arena);
  auto* const largest = static_cast<uint32_t*>(exec.arena->tensor(DType::i32, {1}).data());
  const cudaStream_t stream = cuda_context(exec).stream();
  check_cuda(cudaMemsetAsync(largest, 0, sizeof *largest, stream), "quantise");
  const auto x = rows_of<const __nv_bfloat16>(args.x);
  const int64_t rows = args.x.extent(0), columns = args.x.extent(1);
  const auto blocks = [](int64_t count, int64_t unit) { return static_cast<unsigned>(divide_up(count, unit)); };
  largest_kernel<<<dim3(blocks(columns, kThreads * 8), blocks(rows, kRows)), kThreads, 0, stream>>>(largest, x, rows,
                                                                                                    columns);
  check_launch("quantise");
  const Rounding rounding{.out = bytes_at(args.out),
                          .turned = bytes_at(args.turned),
                          .unscale = pointer_to<float>(args.unscale),
                          .largest = largest,
                          .x = x,
                          .rows = rows,
                          .columns = columns};
  const bool e4m3 = (args.out.data() != nullptr ? args.out : args.turned).dtype() == DType::e4m3;
  const auto kernel = e4m3 ? round_kernel<__NV_E4M3> : round_kernel<__NV_E5M2>;
  kernel<<<dim3(blocks(columns, kTile), blocks(rows, kTile)), kThreads, 0, stream>>>(rounding);
  check_launch("quantise");
}

}  // namespace hyscale::kernels::cuda
