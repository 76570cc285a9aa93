#include "tests/mixers/mixer_harness.h"

#include <gtest/gtest.h>

#include "tests/support/gradient_check.h"
#include "tests/support/threads.h"

namespace hyscale::tests {

using model::BatchShape;
using model::Parameter;

MixerHarness::MixerHarness(const spec::MixerSpec& spec, int64_t d_model, BatchShape shape, DType dtype, uint64_t seed)
    : table_(spec.parameters(d_model), dtype),
      mixer_(model::make_mixer(spec, {.d_model = d_model}, table_, "")),
      shape_(shape),
      x_(random_tensor(dtype, {shape.tokens(), d_model}, seed, -2, 2)),
      out_(filled_tensor(dtype, {shape.tokens(), d_model}, 0)),
      dout_(random_tensor(dtype, {shape.tokens(), d_model}, seed + 1)),
      dx_(filled_tensor(dtype, {shape.tokens(), d_model}, 0)) {
  for (const Parameter& parameter : table_.all()) {
    const bool norm = parameter.spec.name.ends_with("norm.weight");
    copy_values(random_tensor(dtype, parameter.spec.shape, seed += 7, norm ? 0.5 : -0.7, norm ? 1.5 : 0.7),
                parameter.weight);
  }
}

const Tensor& MixerHarness::forward() {
  const Arena::Scope scope(arena_);
  mixer_->forward(x_, out_, shape_, {.device = Device::cpu, .arena = &arena_});
  return out_;
}

void MixerHarness::forward_backward() {
  const Arena::Scope scope(arena_);
  const Exec exec{.device = Device::cpu, .arena = &arena_};
  mixer_->forward(x_, out_, shape_, exec);
  mixer_->backward(x_, dout_, dx_, exec);
}

double MixerHarness::loss() { return dot(forward(), dout_); }

void MixerHarness::expect_gradients_match() {
  forward_backward();
  const auto value = [this] { return loss(); };
  const GradientCheckOptions options{.most = 40};
  expect_gradient_matches("x", x_, dx_, value, options);
  for (const Parameter& parameter : table_.all())
    expect_gradient_matches(parameter.spec.name, parameter.weight, parameter.gradient, value, options);
}

void expect_causal(const spec::MixerSpec& spec, int64_t d_model, int64_t length, const std::vector<int64_t>& tokens) {
  MixerHarness before(spec, d_model, {.sequences = 1, .length = length}, DType::f64);
  before.forward();
  for (const int64_t t : tokens) {
    MixerHarness after(spec, d_model, {.sequences = 1, .length = length}, DType::f64);
    for (int64_t i = 0; i < d_model; ++i) after.x().view<double, 2>()(t, i) += 1;
    const Tensor a = before.forward(), b = after.forward();
    EXPECT_EQ(values_of(a.slice(0, 0, t)), values_of(b.slice(0, 0, t))) << "token " << t;
    EXPECT_NE(values_of(a.slice(0, t, 1)), values_of(b.slice(0, t, 1))) << "token " << t;
  }
}

void expect_equal_for_any_number_of_threads(const spec::MixerSpec& spec, int64_t d_model, BatchShape shape) {
  std::vector<std::vector<double>> out, dx, gradients;
  for (const int count : {1, 2, 3, 5}) {
    const ThreadCount threads(count);
    MixerHarness mixer(spec, d_model, shape, DType::f32);
    mixer.forward_backward();
    out.push_back(values_of(mixer.forward()));
    dx.push_back(values_of(mixer.dx()));
    gradients.push_back(values_of(mixer.parameters().gradients()));
  }
  for (size_t i = 1; i < out.size(); ++i) {
    EXPECT_EQ(out[i], out[0]) << i;
    EXPECT_EQ(dx[i], dx[0]) << i;
    EXPECT_EQ(gradients[i], gradients[0]) << i;
  }
}

void expect_single_close_to_double(const spec::MixerSpec& spec, int64_t d_model, BatchShape shape, double bound) {
  MixerHarness one(spec, d_model, shape, DType::f32), two(spec, d_model, shape, DType::f64);
  copy_values(one.x(), two.x());
  copy_values(one.dout(), two.dout());
  for (size_t i = 0; i < one.parameters().all().size(); ++i)
    copy_values(one.parameters().all()[i].weight, two.parameters().all()[i].weight);
  one.forward_backward();
  two.forward_backward();
  EXPECT_LT(relative_difference(one.forward(), two.forward()), bound);
  EXPECT_LT(relative_difference(one.dx(), two.dx()), bound);
  for (size_t i = 0; i < one.parameters().all().size(); ++i) {
    const Parameter &a = one.parameters().all()[i], &b = two.parameters().all()[i];
    EXPECT_LT(relative_difference(a.gradient, b.gradient), bound) << a.spec.name;
  }
}

}  // namespace hyscale::tests
