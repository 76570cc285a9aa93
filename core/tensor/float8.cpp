#include "core/tensor/float8.h"

#include <algorithm>
#include <cmath>

namespace hyscale {
namespace {

struct Format {
  int mantissa;  // bits
  int bias;
  float largest;
  uint8_t largest_bits, nan;
};

constexpr Format kE4m3{.mantissa = 3, .bias = 7, .largest = 448, .largest_bits = 0x7e, .nan = 0x7f};
constexpr Format kE5m2{.mantissa = 2, .bias = 15, .largest = 57344, .largest_bits = 0x7b, .nan = 0x7f};

const Format& format_of(DType dtype) { return dtype == DType::e4m3 ? kE4m3 : kE5m2; }

}  // namespace

uint8_t to_float8(DType dtype, float value) {
  const Format& f = format_of(dtype);
  if (std::isnan(value)) return f.nan;
  const auto sign = static_cast<uint8_t>(std::signbit(value) ? 0x80 : 0);
  const float size = std::fabs(value);
  if (size >= f.largest) return sign | f.largest_bits;
  // steps of the binade that the value is in, or of the smallest one; rounding up into the next binade carries over
  const int exponent = size > 0 ? std::max(std::ilogb(size), 1 - f.bias) : 1 - f.bias;
  const auto steps = static_cast<int>(std::nearbyint(std::ldexp(size, f.mantissa - exponent)));
  return sign | static_cast<uint8_t>(((exponent + f.bias - 1) << f.mantissa) + steps);
}

float from_float8(DType dtype, uint8_t bits) {
  const Format& f = format_of(dtype);
  const int field = (bits & 0x7f) >> f.mantissa, fraction = bits & ((1 << f.mantissa) - 1);
  const float sign = (bits & 0x80) != 0 ? -1.0F : 1.0F;
  if ((bits & 0x7f) > f.largest_bits) return dtype == DType::e5m2 && fraction == 0 ? sign * INFINITY : std::nanf("");
  const int steps = field == 0 ? fraction : fraction + (1 << f.mantissa);
  return sign * std::ldexp(static_cast<float>(steps), std::max(field, 1) - f.bias - f.mantissa);
}

int float8_shift(DType dtype, float largest) {
  if (largest == 0 || !std::isfinite(largest)) return 0;
  const int top = std::ilogb(format_of(dtype).largest), exponent = std::ilogb(largest);
  const bool fits = std::ldexp(largest, top - exponent) <= format_of(dtype).largest;
  return std::clamp(top - exponent - (fits ? 0 : 1), -120, 120);
}

}  // namespace hyscale
