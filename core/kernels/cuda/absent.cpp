#include "core/base/error.h"
#include "core/kernels/cuda/twins.h"

namespace hyscale::kernels::cuda {

[[noreturn]] static void absent() {
  throw ConfigError(Problem{.what = "this build has no CUDA back end", .remedy = "run with --device cpu"});
}

void attention(const AttentionArgs&, const Exec&) { absent(); }
void attention_backward(const AttentionBackwardArgs&, const Exec&) { absent(); }
void branch_weights(const BranchWeightsArgs&, const Exec&) { absent(); }
void branch_weights_backward(const BranchWeightsBackwardArgs&, const Exec&) { absent(); }
void diff_lambda(const DiffLambdaArgs&, const Exec&) { absent(); }
void diff_lambda_backward(const DiffLambdaBackwardArgs&, const Exec&) { absent(); }
void cast(const CastArgs&, const Exec&) { absent(); }
void causal_conv_silu(const CausalConvArgs&, const Tensor&, const Exec&) { absent(); }
void causal_conv_silu_backward(const CausalConvArgs&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                               const Exec&) {
  absent();
}
void cross_entropy(const CrossEntropyArgs&, const Exec&) { absent(); }
void embedding(const EmbeddingArgs&, const Exec&) { absent(); }
void embedding_backward(const EmbeddingBackwardArgs&, const Exec&) { absent(); }
void gated_rms_norm(const GatedRmsNormArgs&, const Tensor&, const Tensor&, const Exec&) { absent(); }
void gated_rms_norm_backward(const GatedRmsNormArgs&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                             const Tensor&, const Exec&) {
  absent();
}
void gemm(const GemmArgs&, const Exec&) { absent(); }
void repeat_heads(const RepeatHeadsArgs&, const Exec&) { absent(); }
void sum_heads(const SumHeadsArgs&, const Exec&) { absent(); }
void rms_norm(const RmsNormArgs&, const Exec&) { absent(); }
void rms_norm_backward(const RmsNormBackwardArgs&, const Exec&) { absent(); }
void rope(const RopeArgs&, const Exec&) { absent(); }
void scale_rows(const ScaleRowsArgs&, const Exec&) { absent(); }
void scale_rows_backward(const ScaleRowsBackwardArgs&, const Exec&) { absent(); }
SsdSaved ssd_forward(const SsdShape&, const SsdInputs&, const Tensor&, const Tensor&, const Exec&) { absent(); }
void ssd_backward(const SsdShape&, const SsdInputs&, const SsdSaved&, const Tensor&, const SsdGradients&, const Exec&) {
  absent();
}
void swiglu(const SwigluArgs&, const Exec&) { absent(); }
void swiglu_backward(const SwigluBackwardArgs&, const Exec&) { absent(); }

}  // namespace hyscale::kernels::cuda
