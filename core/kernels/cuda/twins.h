#pragma once

#include "core/kernels/attention.h"
#include "core/kernels/branch_weights.h"
#include "core/kernels/cast.h"
#include "core/kernels/causal_conv.h"
#include "core/kernels/cross_entropy.h"
#include "core/kernels/embedding.h"
#include "core/kernels/gated_rms_norm.h"
#include "core/kernels/gemm.h"
#include "core/kernels/quantise.h"
#include "core/kernels/repeat_heads.h"
#include "core/kernels/rms_norm.h"
#include "core/kernels/rope.h"
#include "core/kernels/scale_rows.h"
#include "core/kernels/ssd.h"
#include "core/kernels/swiglu.h"

/// The CUDA twins of the kernels of the same names, which call them when exec asks for a GPU. They check the same
/// contracts, enqueue on the context's stream and return. Activations are bf16 or f32; what `wide` gives for them
/// holds statistics, factors, gradients of parameters and parameters that are no matrix. A build without CUDA has
/// absent.cpp in their place: each throws ConfigError.
namespace hyscale::kernels::cuda {

void attention(const AttentionArgs& args, const Exec& exec);
void attention_backward(const AttentionBackwardArgs& args, const Exec& exec);
void branch_weights(const BranchWeightsArgs& args, const Exec& exec);
void branch_weights_backward(const BranchWeightsBackwardArgs& args, const Exec& exec);
void diff_lambda(const DiffLambdaArgs& args, const Exec& exec);
void diff_lambda_backward(const DiffLambdaBackwardArgs& args, const Exec& exec);
void cast(const CastArgs& args, const Exec& exec);
void causal_conv_silu(const CausalConvArgs& args, const Tensor& out, const Exec& exec);
void causal_conv_silu_backward(const CausalConvArgs& args, const Tensor& dout, const Tensor& du, const Tensor& dweight,
                               const Tensor& dbias, const Exec& exec);
void cross_entropy(const CrossEntropyArgs& args, const Exec& exec);
void embedding(const EmbeddingArgs& args, const Exec& exec);
void embedding_backward(const EmbeddingBackwardArgs& args, const Exec& exec);
void gated_rms_norm(const GatedRmsNormArgs& args, const Tensor& out, const Tensor& rstd, const Exec& exec);
void gated_rms_norm_backward(const GatedRmsNormArgs& args, const Tensor& rstd, const Tensor& dout, const Tensor& dy,
                             const Tensor& dz, const Tensor& dweight, const Exec& exec);
void gemm(const GemmArgs& args, const Exec& exec);
void quantise(const QuantiseArgs& args, const Exec& exec);
void repeat_heads(const RepeatHeadsArgs& args, const Exec& exec);
void sum_heads(const SumHeadsArgs& args, const Exec& exec);
void rms_norm(const RmsNormArgs& args, const Exec& exec);
void rms_norm_backward(const RmsNormBackwardArgs& args, const Exec& exec);
void rope(const RopeArgs& args, const Exec& exec);
void scale_rows(const ScaleRowsArgs& args, const Exec& exec);
void scale_rows_backward(const ScaleRowsBackwardArgs& args, const Exec& exec);
SsdSaved ssd_forward(const SsdShape& shape, const SsdInputs& in, const Tensor& y, const Tensor& final_state,
                     const Exec& exec);
void ssd_backward(const SsdShape& shape, const SsdInputs& in, const SsdSaved& saved, const Tensor& dy,
                  const SsdGradients& gradients, const Exec& exec);
void swiglu(const SwigluArgs& args, const Exec& exec);
void swiglu_backward(const SwigluBackwardArgs& args, const Exec& exec);

}  // namespace hyscale::kernels::cuda
