#include "core/kernels/cuda/twins.h"
#include "core/tensor/device_context.h"

namespace hyscale::kernels::cuda {

void attention(const AttentionArgs&, const Exec&) { refuse_without_cuda(); }
void attention_backward(const AttentionBackwardArgs&, const Exec&) { refuse_without_cuda(); }
void branch_weights(const BranchWeightsArgs&, const Exec&) { refuse_without_cuda(); }
void branch_weights_backward(const BranchWeightsBackwardArgs&, const Exec&) { refuse_without_cuda(); }
void diff_lambda(const DiffLambdaArgs&, const Exec&) { refuse_without_cuda(); }
void diff_lambda_backward(const DiffLambdaBackwardArgs&, const Exec&) { refuse_without_cuda(); }
void cast(const CastArgs&, const Exec&) { refuse_without_cuda(); }
void causal_conv_silu(const CausalConvArgs&, const Tensor&, const Exec&) { refuse_without_cuda(); }
void causal_conv_silu_backward(const CausalConvArgs&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                               const Exec&) {
  refuse_without_cuda();
}
void cross_entropy(const CrossEntropyArgs&, const Exec&) { refuse_without_cuda(); }
void embedding(const EmbeddingArgs&, const Exec&) { refuse_without_cuda(); }
void embedding_backward(const EmbeddingBackwardArgs&, const Exec&) { refuse_without_cuda(); }
void gated_rms_norm(const GatedRmsNormArgs&, const Tensor&, const Tensor&, const Exec&) { refuse_without_cuda(); }
void gated_rms_norm_backward(const GatedRmsNormArgs&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                             const Tensor&, const Exec&) {
  refuse_without_cuda();
}
void gemm(const GemmArgs&, const Exec&) { refuse_without_cuda(); }
void quantise(const QuantiseArgs&, const Exec&) { refuse_without_cuda(); }
void repeat_heads(const RepeatHeadsArgs&, const Exec&) { refuse_without_cuda(); }
void sum_heads(const SumHeadsArgs&, const Exec&) { refuse_without_cuda(); }
void rms_norm(const RmsNormArgs&, const Exec&) { refuse_without_cuda(); }
void rms_norm_backward(const RmsNormBackwardArgs&, const Exec&) { refuse_without_cuda(); }
void rope(const RopeArgs&, const Exec&) { refuse_without_cuda(); }
void scale_rows(const ScaleRowsArgs&, const Exec&) { refuse_without_cuda(); }
void scale_rows_backward(const ScaleRowsBackwardArgs&, const Exec&) { refuse_without_cuda(); }
SsdSaved ssd_forward(const SsdShape&, const SsdInputs&, const Tensor&, const Tensor&, const Exec&) {
  refuse_without_cuda();
}
void ssd_backward(const SsdShape&, const SsdInputs&, const SsdSaved&, const Tensor&, const SsdGradients&, const Exec&) {
  refuse_without_cuda();
}
void swiglu(const SwigluArgs&, const Exec&) { refuse_without_cuda(); }
void swiglu_backward(const SwigluBackwardArgs&, const Exec&) { refuse_without_cuda(); }

}  // namespace hyscale::kernels::cuda
