#include "core/model/ffn.h"

#include "core/kernels/gemm.h"
#include "core/kernels/swiglu.h"

namespace hyscale::model {

FeedForward::FeedForward(const ParameterTable& parameters, const std::string& prefix)
    : gate_up_weight_(&parameters.at(prefix + "gate_up.weight")),
      down_weight_(&parameters.at(prefix + "down.weight")) {}

void FeedForward::forward(const Tensor& x, const Tensor& out, bool keep_hidden, const Exec& exec) {
  const int64_t d_ff = down_weight_->weight.extent(1);
  gate_up_ = exec.arena->matrix(x.dtype(), x.extent(0), 2 * d_ff);
  kernels::gemm({.out = gate_up_, .a = x, .b = gate_up_weight_->weight, .transpose_b = true}, exec);
  const Arena::Mark before = exec.arena->mark();
  const Tensor hidden = exec.arena->matrix(x.dtype(), x.extent(0), d_ff);
  kernels::swiglu({.out = hidden, .gate_up = gate_up_}, exec);
  kernels::gemm({.out = out, .a = hidden, .b = down_weight_->weight, .transpose_b = true}, exec);
  hidden_ = keep_hidden ? hidden : Tensor();
  if (!keep_hidden) exec.arena->release(before);
}

void FeedForward::backward(const Tensor& x, const Tensor& dout, const Tensor& dx, const Exec& exec) {
  const Arena::Scope scratch(*exec.arena);
  const int64_t d_ff = down_weight_->weight.extent(1);
  Tensor hidden = hidden_;
  if (hidden.empty()) {
    hidden = exec.arena->matrix(x.dtype(), x.extent(0), d_ff);
    kernels::swiglu({.out = hidden, .gate_up = gate_up_}, exec);
  }
  const Tensor dhidden = exec.arena->matrix(x.dtype(), x.extent(0), d_ff);
  kernels::gemm({.out = dhidden, .a = dout, .b = down_weight_->weight}, exec);
  kernels::gemm({.out = down_weight_->gradient, .a = dout, .b = hidden, .transpose_a = true, .accumulate = true}, exec);
  // the gate's values are needed no more: their gradients take their place
  kernels::swiglu_backward({.dgate_up = gate_up_, .dout = dhidden, .gate_up = gate_up_}, exec);
  kernels::gemm({.out = gate_up_weight_->gradient, .a = gate_up_, .b = x, .transpose_a = true, .accumulate = true},
                exec);
  kernels::gemm({.out = dx, .a = gate_up_, .b = gate_up_weight_->weight}, exec);
}

}  // namespace hyscale::model
