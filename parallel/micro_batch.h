#pragma once

#include <algorithm>
#include <cstdint>

namespace hyscale::parallel {

/// Sequences of one forward pass when nobody says otherwise: about this many tokens keep the caches warm.
inline constexpr int64_t kMicroBatchTokens = 16384;
inline int64_t usual_micro_batch(int64_t context) { return std::max<int64_t>(1, kMicroBatchTokens / context); }

}  // namespace hyscale::parallel
