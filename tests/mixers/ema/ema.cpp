#include "tests/mixers/ema/ema.h"

#include <algorithm>
#include <cmath>

#include "core/kernels/gemm.h"
#include "core/mixers/mixer.h"
#include "tests/mixers/ema/ema_spec.h"

namespace hyscale::tests {
namespace {

using model::BatchShape;
using model::Parameter;

class EmaMixer final : public model::Mixer {
 public:
  EmaMixer(const Parameter& decay, const Parameter& out_weight) : decay_(decay), out_weight_(out_weight) {}
  void forward(const Tensor& x, const Tensor& out, BatchShape shape, const Exec& exec) override;
  void backward(const Tensor& x, const Tensor& dout, const Tensor& dx, const Exec& exec) override;

 private:
  const Parameter &decay_, &out_weight_;
  BatchShape shape_;
  Tensor average_;  // [tokens, d_model]
};

template <class T>
T sigmoid(T v) {
  return 1 / (1 + std::exp(-v));
}

void EmaMixer::forward(const Tensor& x, const Tensor& out, BatchShape shape, const Exec& exec) {
  shape_ = shape;
  average_ = exec.arena->matrix(x.dtype(), x.extent(0), x.extent(1));
  with_real(x.dtype(), [&]<class T>(T) {
    const auto in = x.view<const T, 2>(), h = average_.view<const T, 2>();
    const auto h_out = average_.view<T, 2>();
    for (int64_t row = 0; row < x.extent(0); ++row)
      for (int64_t c = 0; c < x.extent(1); ++c) {
        const T a = sigmoid(decay_.weight.as<T>()[c]);
        h_out(row, c) = (row % shape.length == 0 ? T(0) : a * h(row - 1, c)) + (1 - a) * in(row, c);
      }
  });
  kernels::gemm({.out = out, .a = average_, .b = out_weight_.weight, .transpose_b = true}, exec);
}

void EmaMixer::backward(const Tensor& x, const Tensor& dout, const Tensor& dx, const Exec& exec) {
  const Arena::Scope scratch(*exec.arena);
  const Tensor dh = exec.arena->matrix(x.dtype(), x.extent(0), x.extent(1));
  kernels::gemm({.out = out_weight_.gradient, .a = dout, .b = average_, .transpose_a = true, .accumulate = true}, exec);
  kernels::gemm({.out = dh, .a = dout, .b = out_weight_.weight}, exec);
  with_real(x.dtype(), [&]<class T>(T) {
    const auto in = x.view<const T, 2>(), h = average_.view<const T, 2>();
    const auto g = dh.view<T, 2>(), to = dx.view<T, 2>();
    for (int64_t row = x.extent(0) - 1; row >= 0; --row)
      for (int64_t c = 0; c < x.extent(1); ++c) {
        const T a = sigmoid(decay_.weight.as<T>()[c]);
        const bool first = row % shape_.length == 0;
        const T before = first ? T(0) : h(row - 1, c);
        to(row, c) = (1 - a) * g(row, c);
        decay_.gradient.as<T>()[c] += g(row, c) * (before - in(row, c)) * a * (1 - a);
        if (!first) g(row - 1, c) += a * g(row, c);
      }
  });
}

std::unique_ptr<model::Mixer> make_ema(const spec::MixerSpec&, const model::MixerContext&,
                                       const model::ParameterTable& parameters, const std::string& prefix) {
  return std::make_unique<EmaMixer>(parameters.at(prefix + "decay"), parameters.at(prefix + "out.weight"));
}

}  // namespace

void register_ema() {
  const std::vector<std::string> kinds = spec::mixer_kinds();
  if (std::find(kinds.begin(), kinds.end(), "ema") != kinds.end()) return;
  spec::register_mixer("ema", &parse_ema);
  model::register_mixer("ema", &make_ema);
}

}  // namespace hyscale::tests
