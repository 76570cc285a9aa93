#pragma once

#include "core/kernels/attention.h"

/// The two ways attention takes on a GPU. Both write the same lse, so that backward may go another way than forward.
namespace hyscale::kernels::cuda {

/// What cuDNN calls itself, 91900 for 9.19.0; 0 where this build has none, or one too old to be used.
int64_t cudnn_version();

/// cuDNN's fused attention. False, with nothing enqueued, where this build or this cuDNN has none for these arguments.
bool cudnn_attention(const AttentionArgs& args, const Exec& exec);
bool cudnn_attention_backward(const AttentionBackwardArgs& args, const Exec& exec);

/// Our own kernels, for f32 and bf16, every mask and documents. Throw ShapeError when dim or value_dim exceeds 256.
void tiled_attention(const AttentionArgs& args, const Exec& exec);
void tiled_attention_backward(const AttentionBackwardArgs& args, const Exec& exec);

/// Whether every row of a [.., dim] tensor of rank 4 can be read in 16-byte vectors.
bool whole_vectors(const Tensor& t);

}  // namespace hyscale::kernels::cuda
