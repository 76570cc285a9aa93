#include "core/kernels/attention.h"

#include "core/kernels/cuda/attention_paths.h"
#include "core/kernels/cuda/twins.h"
#include "core/tensor/cuda/cuda_context.h"

namespace hyscale::kernels::cuda {

bool whole_vectors(const Tensor& t) {
  const auto entries = static_cast<int64_t>(16 / size_of(t.dtype()));
  return reinterpret_cast<uintptr_t>(t.data()) % 16 == 0 && t.extent(3) % entries == 0 && t.stride(0) % entries == 0 &&
         t.stride(1) % entries == 0 && t.stride(2) % entries == 0;
}

void attention(const AttentionArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "attention");
  if (args.q.numel() == 0) return;
  if (!cudnn_attention(args, exec)) tiled_attention(args, exec);
}

void attention_backward(const AttentionBackwardArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "attention_backward");
  if (args.saved.q.numel() == 0) return;
  if (!cudnn_attention_backward(args, exec)) tiled_attention_backward(args, exec);
}

}  // namespace hyscale::kernels::cuda
