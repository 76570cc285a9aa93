#pragma once

#include <cstdint>
#include <span>

namespace hyscale::infer {

/// How the next token is drawn from a model's logits. Temperature 0: the likeliest, the first of equals. Otherwise from
/// softmax(logits / temperature), kept to the `top_k` likeliest (0: all) and of those to the fewest that have `top_p`
/// of the probability together (Holtzman et al. 2020).
struct Sampling {
  double temperature = 0;
  int64_t top_k = 0;
  double top_p = 1;
  uint64_t seed = 0;
};

/// A token from `logits` [vocabulary]. The same for the same seed, sequence and position, whatever else is drawn.
int32_t sample(std::span<const float> logits, const Sampling& sampling, uint64_t sequence, uint64_t position);

}  // namespace hyscale::infer
