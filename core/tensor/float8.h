#pragma once

#include <cstdint>

#include "core/tensor/tensor.h"

namespace hyscale {

/// The two eight-bit floats of Micikevicius et al., "FP8 formats for deep learning" (arXiv 2209.05433): sign, exponent,
/// mantissa. e4m3 has no infinity and goes to 448, e5m2 is half a float16 and goes to 57344.
/// `dtype` is e4m3 or e5m2.
uint8_t to_float8(DType dtype, float value);  // to the nearest, ties to even; beyond the largest: that; NaN stays NaN
float from_float8(DType dtype, uint8_t bits);

/// Largest power of two (its exponent, -120 … 120) that leaves a value of the magnitude `largest` in range; 0 for 0.
int float8_shift(DType dtype, float largest);

}  // namespace hyscale
