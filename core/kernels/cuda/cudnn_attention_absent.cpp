#include "core/kernels/cuda/attention_paths.h"

// In place of cudnn_attention.cpp in a build without cuDNN.
namespace hyscale::kernels::cuda {

int64_t cudnn_version() { return 0; }
bool cudnn_attention(const AttentionArgs&, const Exec&) { return false; }
bool cudnn_attention_backward(const AttentionBackwardArgs&, const Exec&) { return false; }

}  // namespace hyscale::kernels::cuda
