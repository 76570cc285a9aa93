#include "core/model/ffn.h"

#include "core/kernels/swiglu.h"

namespace hyscale::model {

FeedForward::FeedForward(const ParameterTable& parameters, const std::string& prefix)
    : gate_up_projection_(projection(parameters.at(prefix + "gate_up.weight"))),
      down_projection_(projection(parameters.at(prefix + "down.weight"))) {}

void FeedForward::forward(const Tensor& x, const Tensor& out, bool keep_hidden, const Exec& exec) {
  const int64_t d_ff = down_projection_.weight.extent(1);
  gate_up_ = exec.arena->matrix(x.dtype(), x.extent(0), 2 * d_ff);
  gate_up_projection_.forward(x, gate_up_, false, exec);
  const Arena::Mark before = exec.arena->mark();
  const Tensor hidden = exec.arena->matrix(x.dtype(), x.extent(0), d_ff);
  kernels::swiglu({.out = hidden, .gate_up = gate_up_}, exec);
  down_projection_.forward(hidden, out, false, exec);
  hidden_ = keep_hidden ? hidden : Tensor();
  if (keep_hidden) return;
  exec.arena->release(before);
  down_projection_.forget();
}

void FeedForward::backward(const Tensor& x, const Tensor& dout, const Tensor& dx, const Exec& exec) {
  const Arena::Scope scratch(*exec.arena);
  const int64_t d_ff = down_projection_.weight.extent(1);
  Tensor hidden = hidden_;
  if (hidden.empty()) {
    hidden = exec.arena->matrix(x.dtype(), x.extent(0), d_ff);
    kernels::swiglu({.out = hidden, .gate_up = gate_up_}, exec);
  }
  const Tensor dhidden = exec.arena->matrix(x.dtype(), x.extent(0), d_ff);
  down_projection_.backward(hidden, dout, dhidden, false, exec);
  // the gate's values are needed no more: their gradients take their place
  kernels::swiglu_backward({.dgate_up = gate_up_, .dout = dhidden, .gate_up = gate_up_}, exec);
  gate_up_projection_.backward(x, gate_up_, dx, false, exec);
}

}  // namespace hyscale::model
