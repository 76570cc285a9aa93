#pragma once

#include "core/kernels/cuda/launch.h"

namespace hyscale::kernels::cuda {

constexpr int kColumnSumLanes = 32;   // columns of one block
constexpr int kColumnSumSlices = 32;  // threads that share the rows of a column

template <class To>
__global__ void __launch_bounds__(kColumnSumLanes* kColumnSumSlices)
    add_column_sums_kernel(const float* parts, int64_t rows, int64_t columns, To to) {
  __shared__ float sums[kColumnSumSlices][kColumnSumLanes];
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kColumnSumLanes + threadIdx.x;
  float sum = 0;
  if (column < columns)
#pragma unroll 8
    for (int64_t row = threadIdx.y; row < rows; row += kColumnSumSlices) sum += parts[row * columns + column];
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 0 || column >= columns) return;
  for (int slice = 1; slice < kColumnSumSlices; ++slice) sum += sums[slice][threadIdx.x];
  if (float* const target = to(column)) *target += sum;
}

/// The second pass of a sum over tokens: adds the column sums of `parts` (dense f32, `columns` in its last axes) to the
/// floats that to(column), a device function, points at; nothing where it gives null. In a fixed order.
template <class To>
void add_column_sums(const Tensor& parts, int64_t columns, To to, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>(divide_up(columns, kColumnSumLanes));
  add_column_sums_kernel<<<blocks, dim3(kColumnSumLanes, kColumnSumSlices), 0, stream>>>(
      pointer_to<const float>(parts), parts.numel() / columns, columns, to);
}

}  // namespace hyscale::kernels::cuda
