#pragma once

#include "core/kernels/cuda/ssd/mma.cuh"

namespace hyscale::kernels::cuda::ssd {

// A warp holds a 16 x 16 block of f32 as acc[8]: with g = lane / 4 and q = lane % 4, entry 4·u + 2·v + w is that of row
// g + 8·v and column 8·u + 2·q + w. Packed to bf16 in this order it is a product's left factor as it stands.
using Block = float[8];
using Packed = uint32_t[4];

/// The same value, of which the compiler knows nothing: what is computed from it inside a loop stays there instead of
/// taking registers around it.
inline __device__ uint32_t fresh(uint32_t v) {
  asm volatile("" : "+r"(v));
  return v;
}

struct Lane {
  int lane = static_cast<int>(threadIdx.x) & 31;
  int g = lane >> 2, q = lane & 3;
};

/// The number of this thread's warp, in a form that tells the compiler that all of the warp have the same.
inline __device__ int warp_number() { return __shfl_sync(kAll, static_cast<int>(threadIdx.x) >> 5, 0); }

inline __device__ float low(uint32_t pair) { return __uint_as_float(pair << 16); }
inline __device__ float high(uint32_t pair) { return __uint_as_float(pair & 0xffff0000U); }
inline __device__ uint32_t pack(float first, float second) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(first, second);
  return *reinterpret_cast<const uint32_t*>(&pair);
}
inline __device__ void pack(Packed& to, const Block& from) {
#pragma unroll
  for (int i = 0; i < 4; ++i) to[i] = pack(from[2 * i], from[2 * i + 1]);
}
inline __device__ void multiply(Block& acc, const Packed& a, const Packed& b) {
  multiply_8(acc, a, b[0], b[1]);
  multiply_8(acc + 4, a, b[2], b[3]);
}
template <int Count>
inline __device__ void clear(Block (&acc)[Count]) {
#pragma unroll
  for (int i = 0; i < Count; ++i)
#pragma unroll
    for (int j = 0; j < 8; ++j) acc[i][j] = 0;
}
/// Rows g by `upper`, rows g + 8 by `lower`.
template <int Count>
inline __device__ void scale_rows(Block (&acc)[Count], float upper, float lower) {
#pragma unroll
  for (int i = 0; i < Count; ++i)
#pragma unroll
    for (int j = 0; j < 8; ++j) acc[i][j] *= (j & 2) != 0 ? lower : upper;
}
/// Sum over the four lanes that share a row.
inline __device__ float sum_of_row(float v) {
  v += __shfl_xor_sync(kAll, v, 1);
  return v + __shfl_xor_sync(kAll, v, 2);
}

/// bf16 [rows, Width] in shared memory, Width 64 or 128. A row's units of 16 bytes are swapped about by the row's
/// number, so that eight rows of one column of units lie in different banks.
template <int Width>
struct Tile {
  static constexpr int kPitch = Width * 2;
  static constexpr int bytes(int rows) { return rows * kPitch; }
  uint32_t base;  // a multiple of kPitch

  __device__ uint32_t unit(int row, int u) const { return base + row * kPitch + ((u ^ (row & 7)) << 4); }

  /// [rows, Width] ← rows of device memory, zeros beyond `count` rows and `columns` columns; `lane` of `Threads`.
  template <int Threads, int RowCount>
  __device__ void fill(int first_row, int thread, const Half* from, int64_t stride, int count, int columns) const {
    constexpr int kUnits = Width / 8, kStep = Threads / kUnits;
    static_assert(Threads % kUnits == 0 && RowCount * kUnits % Threads == 0);
    const int now = static_cast<int>(fresh(static_cast<uint32_t>(thread))), u = now % kUnits;
    const Half* at = from + now / kUnits * stride + u * 8;
#pragma unroll
    for (int i = 0; i < RowCount * kUnits / Threads; ++i, at += kStep * stride) {
      const int row = now / kUnits + i * kStep;
      const bool there = row < count && u * 8 < columns;
      copy_async(unit(first_row + row, u), there ? at : from, there);
    }
  }
};

/// A lane's addresses in a Tile for one of the two ways in which ldmatrix takes four 8 x 8 matrices as a 16 x 16 block.
template <int Width>
struct LaneOf {
  uint32_t start;
  /// The second matrix lies below the first: left factors stored by rows, right factors stored turned.
  static __device__ LaneOf down(Tile<Width> tile) {
    const int lane = Lane().lane;
    return at(tile, lane & 15, lane >> 4);
  }
  /// The second matrix lies beside the first: left factors stored turned, right factors stored by columns.
  static __device__ LaneOf across(Tile<Width> tile) {
    const int lane = Lane().lane;
    return at(tile, (lane & 7) + ((lane >> 4) << 3), (lane >> 3) & 1);
  }
  /// Of the block at row 16·i, column 16·j.
  __device__ uint32_t block(int i, int j) const {
    return (start ^ (static_cast<uint32_t>(j) << 5)) + i * (16 * 2 * Width);
  }

 private:
  static __device__ LaneOf at(Tile<Width> tile, int row, int u) {
    return {fresh((tile.base + row * Tile<Width>::kPitch) ^ static_cast<uint32_t>((u ^ (row & 7)) << 4))};
  }
};

/// A warp's own memory through which it turns blocks into whole rows: 16 rows of 64 columns.
struct Staging {
  static constexpr int kPitch = 64 * 2 + 16;
  static constexpr int kBytes = 16 * kPitch;
  uint32_t base;

  /// Writes `Count` blocks side by side as bf16 to rows of device memory, no more than `rows` and `columns`.
  template <int Count>
  __device__ void store(const Block (&acc)[Count], Half* to, int64_t stride, int rows, int columns) const {
    const Lane me;
#pragma unroll
    for (int part = 0; part < Count; part += 4) {
      __syncwarp();
#pragma unroll
      for (int j = 0; j < 4 && part + j < Count; ++j) {
        Packed packed;
        pack(packed, acc[part + j]);
        store_matrices(base + (me.lane & 15) * kPitch + (me.lane >> 4) * 16 + j * 32, packed);
      }
      __syncwarp();
      constexpr int kUnits = (Count < 4 ? Count : 4) * 2;
#pragma unroll
      for (int i = 0; i < 16 * kUnits / 32; ++i) {
        const int row = me.lane / kUnits + i * (32 / kUnits), u = me.lane % kUnits, column = part * 16 + u * 8;
        const uint4 v = load_shared16(base + row * kPitch + u * 16);
        if (row < rows && column < columns) *reinterpret_cast<uint4*>(to + row * stride + column) = v;
      }
    }
  }
};

}  // namespace hyscale::kernels::cuda::ssd
