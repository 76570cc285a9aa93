#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/mixers/mixer.h"
#include "core/mixers/parameters.h"
#include "core/spec/mixer_spec.h"
#include "core/tensor/memory.h"

namespace hyscale::tests {

/// One mixer with random parameters (norms around 1) and a random micro-batch, made as a model makes it.
class MixerHarness {
 public:
  MixerHarness(const spec::MixerSpec& spec, int64_t d_model, model::BatchShape shape, DType dtype, uint64_t seed = 1);

  /// out of a forward pass over x.
  const Tensor& forward();
  /// Forward, then backward for `dout`: fills dx and the parameter gradients.
  void forward_backward();

  const model::ParameterTable& parameters() const { return table_; }
  Tensor x() const { return x_; }
  Tensor dout() const { return dout_; }
  Tensor dx() const { return dx_; }
  double loss();  // Σ out ⊙ dout of a forward pass

  /// x and every parameter against central differences. f64.
  void expect_gradients_match();

 private:
  model::ParameterTable table_;
  std::unique_ptr<model::Mixer> mixer_;
  model::BatchShape shape_;
  OwnedTensor x_, out_, dout_, dx_;
  Arena arena_;
};

/// Changing the input at one token changes no output before it, and does change its own.
void expect_causal(const spec::MixerSpec& spec, int64_t d_model, int64_t length, const std::vector<int64_t>& tokens);

/// out, dx and parameter gradients in f32 are the same bits for 1, 2, 3 and 5 threads.
void expect_equal_for_any_number_of_threads(const spec::MixerSpec& spec, int64_t d_model, model::BatchShape shape);

/// out, dx and parameter gradients in f32 differ from f64 by at most `bound`, relative to the largest entry of each.
void expect_single_close_to_double(const spec::MixerSpec& spec, int64_t d_model, model::BatchShape shape, double bound);

}  // namespace hyscale::tests
