#pragma once

namespace hyscale::tests {

/// Registers both halves of `kind: ema`, a mixer that the programs do not have: a learned exponential moving average
/// of every channel, then a projection,
///   h_t = a ⊙ h_{t−1} + (1 − a) ⊙ x_t,  a = sigmoid(decay),  out_t = h_t Wᵀ
/// with `decay` [d_model] and `out.weight` [d_model, d_model]. Its one key is `half_life` (tokens), where decay starts.
/// May be called more than once.
void register_ema();

}  // namespace hyscale::tests
