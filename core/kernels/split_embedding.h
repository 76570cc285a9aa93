#pragma once

#include "core/tensor/exec.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// The embedding (embedding.h) of a rank that holds the rows first … first + rows - 1 of the table: out[t] is the row
/// of tokens[t], or 0 where another rank has it. The sum over the ranks is the embedding.
struct SplitEmbeddingArgs {
  Tensor out;              // [tokens, channels]  written
  Tensor tokens;           // i32 [tokens], 0 … vocabulary - 1
  Tensor weight;           // [rows, channels]
  int64_t first = 0;       // token of the first row
  int64_t vocabulary = 0;  // of the whole table
};
/// Throws ShapeError when shapes disagree or a token is outside the vocabulary, ConfigError for a GPU.
void split_embedding(const SplitEmbeddingArgs& args, const Exec& exec);

/// dweight[tokens[t] - first] += dout[t] for the tokens of this rank, in ascending order.
struct SplitEmbeddingBackwardArgs {
  Tensor dweight;  // [rows, channels]  added to
  Tensor tokens;   // i32 [tokens]
  Tensor dout;     // [tokens, channels]
  int64_t first = 0;
};
/// Throws alike.
void split_embedding_backward(const SplitEmbeddingBackwardArgs& args, const Exec& exec);

}  // namespace hyscale::kernels
