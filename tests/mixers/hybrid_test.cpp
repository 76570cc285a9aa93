#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/mixers/branch.h"
#include "core/mixers/hybrid/hybrid_spec.h"
#include "tests/mixers/mixer_harness.h"
#include "tests/mixers/small_hybrid.h"
#include "tests/support/gradient_check.h"

namespace hyscale::tests {
namespace {

using spec::HybridFusion;
using spec::HybridNorm;
using spec::HybridOutput;
using spec::HybridScale;
using spec::HybridSpec;
using spec::HybridValue;

constexpr int64_t kWidth = 8;  // d_model
constexpr model::BatchShape kShape{.sequences = 2, .length = 11};

class EveryHybrid : public ::testing::TestWithParam<NamedHybrid> {};
class SeparateValues : public EveryHybrid {};
class JointValues : public EveryHybrid {};

TEST_P(EveryHybrid, GradientsMatchCentralDifferences) {
  MixerHarness(GetParam().spec, kWidth, kShape, DType::f64).expect_gradients_match();
}

/// A branch's value v_i by itself, with the layer's parameters.
std::vector<double> value_alone(const HybridSpec& spec, size_t b, const MixerHarness& mixer) {
  const auto make = spec.branches[b]->kind() == "mamba2" ? model::make_mamba2_branch : model::make_attention_branch;
  const auto branch =
      make(*spec.branches[b], {.d_model = kWidth}, mixer.parameters(), fmt::format("branches.{}.", b), nullptr);
  Arena arena;
  return values_of(branch->forward(mixer.x(), kShape, {.device = Device::cpu, .arena = &arena}));
}

/// The formulae of HybridSpec, one token at a time, from the branches' values.
class ByHand {
 public:
  ByHand(const HybridSpec& spec, const MixerHarness& mixer) : spec_(spec), mixer_(mixer) {
    for (size_t b = 0; b < 2; ++b) values_[b] = value_alone(spec, b, mixer);
  }

  std::vector<double> out(int64_t token) const {
    std::vector<double> s0 = scaled(0, token), s1 = scaled(1, token);
    const double sign = spec_.fusion == HybridFusion::subtract ? -1 : 1;
    for (double& x : s1) x *= sign;
    if (spec_.output == HybridOutput::separate)
      return sum(times("branches.0.out.weight", s0), times("branches.1.out.weight", s1));
    if (spec_.fusion != HybridFusion::concat) return times("out.weight", sum(s0, s1));
    s0.insert(s0.end(), s1.begin(), s1.end());
    return times("out.weight", s0);
  }

 private:
  std::vector<double> parameter(const std::string& name) const {
    return values_of(mixer_.parameters().at(name).weight);
  }
  static std::vector<double> sum(std::vector<double> a, const std::vector<double>& b) {
    for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
    return a;
  }
  std::vector<double> times(const std::string& name, const std::vector<double>& row) const {
    const std::vector<double> weight = parameter(name);
    std::vector<double> result(weight.size() / row.size());
    for (size_t i = 0; i < weight.size(); ++i) result[i / row.size()] += weight[i] * row[i % row.size()];
    return result;
  }
  std::vector<double> normed(size_t b, int64_t token) const {
    const auto width = static_cast<size_t>(spec_.value_width(b));
    const auto begin = values_[b].begin() + token * static_cast<int64_t>(width);
    std::vector<double> row(begin, begin + static_cast<int64_t>(width));
    if (spec_.norm == HybridNorm::none || spec_.branches[b]->kind() == "mamba2") return row;  // Mamba norms itself
    double squares = 0;
    for (const double x : row) squares += x * x;
    const std::vector<double> weight = parameter(fmt::format("branches.{}.norm.weight", b));
    for (size_t c = 0; c < width; ++c) row[c] *= weight[c] / std::sqrt(squares / static_cast<double>(width) + 1e-5);
    return row;
  }
  double per_token(const std::string& name, size_t row, int64_t token) const {
    const std::vector<double> weight = parameter(name);
    double logit = 0;
    for (int64_t i = 0; i < kWidth; ++i)
      logit += weight[row * kWidth + static_cast<size_t>(i)] * mixer_.x().view<double, 2>()(token, i);
    return 1 / (1 + std::exp(-logit));
  }
  double lambda() const {
    const std::vector<double> v = parameter("lambda");
    const size_t n = v.size() / 4;
    double first = 0, second = 0;
    for (size_t i = 0; i < n; ++i) first += v[i] * v[n + i], second += v[2 * n + i] * v[3 * n + i];
    return std::exp(first) - std::exp(second) + spec_.lambda_init;
  }
  std::vector<double> scaled(size_t b, int64_t token) const {
    std::vector<double> row = normed(b, token);
    double factor = 1;
    if (spec_.scale == HybridScale::diff && b == 1) factor = lambda();
    if (spec_.scale == HybridScale::gate) factor = per_token("gate.weight", b, token);
    if (spec_.scale == HybridScale::alpha) {
      const double alpha = per_token("alpha.weight", 0, token);
      factor = b == 0 ? alpha : 1 - alpha;
    }
    for (double& x : row) x *= factor;
    if (spec_.scale == HybridScale::per_channel) {
      const std::vector<double> vector = parameter(fmt::format("branches.{}.scale", b));
      for (size_t c = 0; c < row.size(); ++c) row[c] *= vector[c];
    }
    return row;
  }

  const HybridSpec& spec_;
  const MixerHarness& mixer_;
  std::array<std::vector<double>, 2> values_;
};

TEST_P(SeparateValues, MeetTheFormulaOfTheLayer) {
  const HybridSpec& spec = GetParam().spec;
  MixerHarness mixer(spec, kWidth, kShape, DType::f64);
  const std::vector<double> out = values_of(mixer.forward());
  const ByHand by_hand(spec, mixer);
  for (int64_t token = 0; token < kShape.tokens(); ++token) {
    const std::vector<double> wanted = by_hand.out(token);
    for (int64_t c = 0; c < kWidth; ++c)
      ASSERT_NEAR(out[static_cast<size_t>(token * kWidth + c)], wanted[static_cast<size_t>(c)], 1e-12) << token;
  }
}

/// Rows of a matrix with `heads` heads, each head written out `repeats` times.
std::vector<double> repeated(const std::vector<double>& rows, size_t heads, size_t repeats) {
  std::vector<double> result;
  const auto head = static_cast<int64_t>(rows.size() / heads);
  for (size_t h = 0; h < heads; ++h)
    for (size_t r = 0; r < repeats; ++r) {
      const auto begin = rows.begin() + static_cast<int64_t>(h) * head;
      result.insert(result.end(), begin, begin + head);
    }
  return result;
}

/// The same layer with values of each branch's own, whose weights are those of the giver.
void untie(const HybridSpec& joint, const MixerHarness& from, const MixerHarness& to) {
  const auto values = [&](const std::string& name) { return values_of(from.parameters().at(name).weight); };
  const size_t giver = joint.value_giver(), taker = 1 - giver;
  const auto& attention = dynamic_cast<const spec::AttentionSpec&>(*joint.branches[giver]);
  std::vector<double> shared = values(fmt::format("branches.{}.qkv.weight", giver));
  shared.erase(shared.begin(), shared.end() - attention.v_width() * kWidth);
  for (const model::Parameter& p : to.parameters().all()) {
    std::vector<double> weight = values(p.spec.name);
    if (p.spec.name == fmt::format("branches.{}.qkv.weight", taker))
      weight.insert(weight.end(), shared.begin(), shared.end());
    if (p.spec.name == fmt::format("branches.{}.in.weight", taker)) {
      const auto x = repeated(shared, static_cast<size_t>(attention.kv_heads),
                              static_cast<size_t>(attention.heads / attention.kv_heads));
      weight.insert(weight.begin() + joint.value_width(taker) * kWidth, x.begin(), x.end());
    }
    ASSERT_EQ(static_cast<int64_t>(weight.size()), p.spec.count()) << p.spec.name;
    const OwnedTensor dense(DType::f64, p.spec.shape);
    std::copy(weight.begin(), weight.end(), dense.tensor().as<double>());
    copy_values(dense, p.weight);
  }
}

TEST_P(JointValues, AreSeparateOnesWithTheSameWeights) {
  const HybridSpec& joint = GetParam().spec;
  std::string options = joint.to_yaml();
  options = options.substr(options.find("norm:"));
  options.pop_back();
  const size_t at = options.find("value: joint");
  const HybridSpec separate = small_hybrid(GetParam().name.substr(0, 2), options.replace(at, 12, "value: separate"));
  MixerHarness tied(joint, kWidth, kShape, DType::f64), untied(separate, kWidth, kShape, DType::f64);
  untie(joint, tied, untied);
  EXPECT_LT(relative_difference(tied.forward(), untied.forward()), 1e-12);
}

const auto kName = [](const auto& param) { return param.param.name; };
INSTANTIATE_TEST_SUITE_P(Mixers, EveryHybrid, ::testing::ValuesIn(every_hybrid()), kName);
INSTANTIATE_TEST_SUITE_P(Mixers, SeparateValues, ::testing::ValuesIn(every_hybrid(HybridValue::separate)), kName);
INSTANTIATE_TEST_SUITE_P(Mixers, JointValues, ::testing::ValuesIn(every_hybrid(HybridValue::joint)), kName);

TEST(Hybrid, NoTokenSeesALaterOne) {
  expect_causal(small_hybrid("MT", ""), kWidth, 20, {0, 7, 8, 19});
  expect_causal(small_hybrid("MT", "scale: alpha, value: joint, output: joint"), kWidth, 20, {0, 7, 8, 19});
}

TEST(Hybrid, ResultsAreBitEqualForAnyNumberOfThreads) {
  for (const char* options : {"", "scale: diff, output: joint", "scale: gate, value: joint"})
    expect_equal_for_any_number_of_threads(small_hybrid("MT", options), kWidth, {.sequences = 3, .length = 70});
}

TEST(Hybrid, SinglePrecisionStaysCloseToDouble) {
  for (const char* options : {"", "scale: per_channel, fusion: concat", "scale: alpha, value: joint"})
    expect_single_close_to_double(small_hybrid("MT", options), kWidth, {.sequences = 2, .length = 60}, 3e-5);
}

}  // namespace
}  // namespace hyscale::tests
