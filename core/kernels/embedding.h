#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// out[t] = weight[tokens[t]].
struct EmbeddingArgs {
  Tensor out;     // [tokens, channels]  written
  Tensor tokens;  // i32 [tokens], 0 … vocabulary - 1
  Tensor weight;  // [vocabulary, channels]
};
/// Throws ShapeError when shapes disagree or a token is outside the vocabulary, ConfigError for a GPU when the build
/// has no CUDA; `out` is then untouched. A GPU, which cannot throw, makes NaN of the row of such a token.
void embedding(const EmbeddingArgs& args, const Exec& exec);

/// dweight[tokens[t]] += dout[t], tokens in ascending order: equal bits on any number of threads. On a GPU the sums run
/// over fixed pieces of the sorted tokens, with scratch from exec.arena, and leave out tokens outside the vocabulary.
struct EmbeddingBackwardArgs {
  Tensor dweight;  // [vocabulary, channels]  added to
  Tensor tokens;   // i32 [tokens]
  Tensor dout;     // [tokens, channels]
};
/// Throws alike; `dweight` is then untouched.
void embedding_backward(const EmbeddingBackwardArgs& args, const Exec& exec);

}  // namespace hyscale::kernels
