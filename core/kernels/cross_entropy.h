#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// Output head and loss together, in chunks of tokens: logits = x · weightᵀ, nll = logsumexp(logits) - logits[target].
/// Never holds more than one chunk of logits (about 8 MiB on the CPU, at most 512 MiB on a GPU; at least 128 tokens). A
/// target < 0 does not count: nll 0, no gradient. On a GPU activations may be bf16, and so are the logits then.
struct CrossEntropyArgs {
  Tensor x;        // [tokens, channels]
  Tensor weight;   // [vocabulary, channels]
  Tensor targets;  // i32 [tokens], each < vocabulary
  Tensor loss;     // f64 [1]  added to: Σ nll in nats, summed in double in the order of the tokens; or empty
  Tensor nll;      // f32 [tokens] written, or empty
  Tensor dx;       // [tokens, channels]  written: scale · d(Σ nll)/dx; empty: no gradients
  Tensor dweight;  // wide [vocabulary, channels]  added to; empty together with dx
  double scale = 1;
};
/// The loss is NaN or infinite when the logits are. Takes scratch from exec.arena and gives it back. Throws ShapeError
/// when shapes disagree or a target is too large (a GPU makes the loss NaN then, for it looks at no target beforehand),
/// ConfigError for a GPU when the build has no CUDA.
void cross_entropy(const CrossEntropyArgs& args, const Exec& exec);

}  // namespace hyscale::kernels
