#pragma once

#include <cstdint>

namespace hyscale::kernels {

/// An f32 product as the libraries want it: every stride given, one of row and col is 1, leading ones are legal.
struct MatrixF32 {
  const float* data = nullptr;
  int64_t row = 0;
  int64_t col = 0;
};
struct ProductF32 {
  int64_t m = 0, n = 0, k = 0;  // all > 0
  MatrixF32 a;                  // [m, k]
  MatrixF32 b;                  // [k, n]
  float* out = nullptr;         // [m, n], unit column stride
  int64_t out_row = 0;
  bool accumulate = false;
  float alpha = 1;
};

/// On the calling thread alone. One source file per library defines it; CMake chooses which.
void multiply_by_library(const ProductF32& product);

}  // namespace hyscale::kernels
