#pragma once

#include <string>

#include "core/mixers/projection.h"
#include "core/tensor/exec.h"

namespace hyscale::model {

/// SwiGLU feed-forward layer: out = (silu(x Wg) ⊙ (x Wu)) Wd with `gate_up.weight` [2 · d_ff, d_model] (gate rows
/// first) and `down.weight` [d_model, d_ff] under `prefix`. Called like a Mixer.
class FeedForward {
 public:
  FeedForward(const ParameterTable& parameters, const std::string& prefix);
  /// Without `keep_hidden` backward computes d_ff channels of each token again.
  void forward(const Tensor& x, const Tensor& out, bool keep_hidden, const Exec& exec);
  void backward(const Tensor& x, const Tensor& dout, const Tensor& dx, const Exec& exec);

 private:
  Projection gate_up_projection_, down_projection_;
  Tensor gate_up_;  // [tokens, 2 · d_ff]
  Tensor hidden_;   // [tokens, d_ff]; empty when it is not kept
};

}  // namespace hyscale::model
