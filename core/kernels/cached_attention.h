#pragma once

#include "core/kernels/attention.h"

namespace hyscale::kernels {

/// Where a cache of `slots` keys or values keeps those of a position: the first `sinks` for ever, behind them the last
/// slots - sinks in a ring. With as many slots as positions that is the position itself.
inline int64_t cache_slot(int64_t position, int64_t slots, int64_t sinks) {
  return position < sinks ? position : sinks + (position - sinks) % (slots - sinks);
}
/// Slots that a mask needs among `capacity` positions: all, or the window's and the sinks'.
inline int64_t cache_slots(const CausalMask& mask, int64_t capacity) {
  return mask.window > 0 && mask.window + mask.sinks < capacity ? mask.window + mask.sinks : capacity;
}

/// Causal attention of new tokens on those of a cache and on each other: `lengths` says how many tokens of each
/// sequence went before, so that new token i stands at position lengths + i. Otherwise as in attention.h; one document.
/// The cache is read only.
struct CachedAttentionArgs {
  Tensor out;       // [sequences, new, heads, value_dim]  written
  Tensor q;         // [sequences, new, heads, dim]
  Tensor k;         // [sequences, new, kv_heads, dim]
  Tensor v;         // [sequences, new, kv_heads, value_dim]
  Tensor cached_k;  // [sequences, kv_heads, slots, dim]        dense rows
  Tensor cached_v;  // [sequences, kv_heads, slots, value_dim]  likewise, the same slots
  Tensor lengths;   // i32 [sequences]
  double scale = 1;
  CausalMask mask;
};
/// Sums in ascending order of positions. Throws ShapeError, ConfigError for a GPU.
void cached_attention(const CachedAttentionArgs& args, const Exec& exec);

/// Writes new keys or values behind the `lengths` that a cache holds, over the oldest where it is a ring.
struct AppendToCacheArgs {
  Tensor cache;    // [sequences, heads, slots, dim]
  Tensor rows;     // [sequences, new, heads, dim]
  Tensor lengths;  // i32 [sequences]
  int64_t sinks = 0;
};
void append_to_cache(const AppendToCacheArgs& args, const Exec& exec);

}  // namespace hyscale::kernels
