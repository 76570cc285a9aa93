#pragma once

#include <cstdint>
#include <utility>

namespace hyscale::kernels {

/// Calls run(std::integral_constant<int, value>) for 1 ≤ value ≤ kMost, so that loops over it unroll. False, and
/// nothing is called, for any other value. The largest is looked at first: it is the one of full blocks.
template <int kMost, class F>
inline bool with_constant(int64_t value, F&& run) {
  return [&]<int... I>(std::integer_sequence<int, I...>) {
    return ((value == kMost - I && (run(std::integral_constant<int, kMost - I>{}), true)) || ...);
  }
  (std::make_integer_sequence<int, kMost>{});
}

}  // namespace hyscale::kernels
