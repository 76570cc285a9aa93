#include "core/model/model.h"

#include <algorithm>
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>

#include "core/optim/adamw.h"
#include "tests/model/stacks.h"
#include "tests/support/documents.h"
#include "tests/support/gradient_check.h"
#include "tests/support/threads.h"

namespace hyscale::model::tests {

using hyscale::tests::copy_values;
using hyscale::tests::expect_gradient_matches;
using hyscale::tests::relative_difference;
using hyscale::tests::values_of;

class EveryStack : public ::testing::TestWithParam<Stack> {
 protected:
  static constexpr int64_t kSequences = 2, kLength = 11;
  Model fresh(DType dtype) const {
    Model model(GetParam().config, dtype);
    model.parameters().initialise(5);
    return model;
  }
  Batch batch_{kSequences, kLength, GetParam().config.vocabulary, 3};
};

// The embedding drawn wider than at the start of training: with nearly zero rows many gradients would be too small to
// tell, and norms too steep for central differences.
static void spread_embedding(ParameterTable& parameters) {
  const Parameter& embedding = parameters.at("embedding.weight");
  for (int64_t i = 0; i < embedding.spec.count(); ++i) embedding.weight.as<double>()[i] *= 15;
}

TEST_P(EveryStack, BackwardMatchesCentralDifferencesForEveryParameter) {
  Model model = fresh(DType::f64);
  spread_embedding(model.parameters());
  const double scale = 0.37;
  model.parameters().clear_gradients();
  model.forward_backward(batch_.tokens(), scale);
  const OwnedTensor kept(DType::f64, {model.parameters().gradients().numel()});
  copy_values(model.parameters().gradients(), kept);
  for (const Parameter& p : model.parameters().all()) {
    const Tensor gradient = window(kept, p);
    expect_gradient_matches(p.spec.name, p.weight, gradient,
                            [&] { return scale * model.forward_backward(batch_.tokens(), 1); },
                            {.step = 1e-5, .tolerance = 1e-6, .most = 60});
  }
}

TEST_P(EveryStack, BackwardMatchesCentralDifferencesAlsoWithDocumentsKeptApart) {
  Model model = fresh(DType::f64);
  spread_embedding(model.parameters());
  batch_.documents = hyscale::tests::documents_at(kSequences, kLength, {1, 4, 5});
  model.parameters().clear_gradients();
  model.forward_backward(batch_.tokens(), 1);
  const OwnedTensor kept(DType::f64, {model.parameters().gradients().numel()});
  copy_values(model.parameters().gradients(), kept);
  for (const Parameter& p : model.parameters().all())
    expect_gradient_matches(p.spec.name, p.weight, window(kept, p),
                            [&] { return model.forward_backward(batch_.tokens(), 1); },
                            {.step = 1e-5, .tolerance = 1e-6, .most = 15});
}

TEST_P(EveryStack, PackedDocumentsGiveTheLogitsAndGradientsOfEachDocumentAlone) {
  Model packed = fresh(DType::f64), alone = fresh(DType::f64);
  const int64_t vocabulary = GetParam().config.vocabulary, length = 40;
  Batch batch(kSequences, length, vocabulary, 3);
  batch.documents = hyscale::tests::documents_at(kSequences, length, {1, 12, 13, 39});
  const OwnedTensor logits(DType::f64, {kSequences * length, vocabulary}),
      each(DType::f64, {kSequences * length, vocabulary});
  packed.logits(batch.tokens(), logits);
  const double loss = packed.forward_backward(batch.tokens(), 1);
  double sum = 0;
  const auto begins = batch.documents.tensor().view<int32_t, 2>();
  for (int64_t s = 0; s < kSequences; ++s)
    for (int64_t begin = 0, end; begin < length; begin = end) {
      for (end = begin + 1; end < length && begins(s, end) == begin;) ++end;
      const auto part = [&](const Tensor& t) { return t.slice(0, s, 1).slice(1, begin, end - begin); };
      const OwnedTensor inputs(DType::i32, {1, end - begin}), targets(DType::i32, {1, end - begin});
      std::copy_n(&part(batch.inputs).view<int32_t, 2>()(0, 0), end - begin, inputs.tensor().as<int32_t>());
      std::copy_n(&part(batch.targets).view<int32_t, 2>()(0, 0), end - begin, targets.tensor().as<int32_t>());
      const TokenBatch document{.inputs = inputs, .targets = targets};
      alone.logits(document, each.tensor().slice(0, s * length + begin, end - begin));
      sum += alone.forward_backward(document, 1);
    }
  EXPECT_NEAR(loss, sum, 1e-12 * sum);
  EXPECT_LT(relative_difference(logits, each), 1e-12);
  EXPECT_LT(relative_difference(packed.parameters().gradients(), alone.parameters().gradients()), 1e-12);
}

TEST_P(EveryStack, ADocumentSeesNothingOfTheOneBeforeIt) {
  Model model = fresh(DType::f32);
  const int64_t vocabulary = GetParam().config.vocabulary;
  const OwnedTensor before(DType::f32, {kSequences * kLength, vocabulary}),
      after(DType::f32, {kSequences * kLength, vocabulary});
  batch_.documents = hyscale::tests::documents_at(kSequences, kLength, {7});
  model.logits(batch_.tokens(), before);
  int32_t& moved = batch_.inputs.tensor().view<int32_t, 2>()(0, 5);
  moved = (moved + 1) % static_cast<int32_t>(vocabulary);
  model.logits(batch_.tokens(), after);
  const auto rows = [&](const Tensor& t, int64_t begin, int64_t count) { return values_of(t.slice(0, begin, count)); };
  EXPECT_NE(rows(before, 6, 1), rows(after, 6, 1));
  EXPECT_EQ(rows(before, 7, 2 * kLength - 7), rows(after, 7, 2 * kLength - 7));
}

TEST_P(EveryStack, SinglePrecisionAgreesWithDouble) {
  Model one = fresh(DType::f32), two = fresh(DType::f64);
  const double loss_one = one.forward_backward(batch_.tokens(), 1), loss_two = two.forward_backward(batch_.tokens(), 1);
  EXPECT_NEAR(loss_one, loss_two, 1e-5 * loss_two);
  EXPECT_LT(relative_difference(one.parameters().gradients(), two.parameters().gradients()), 2e-5);
}

TEST_P(EveryStack, GivesTheSameBitsOnAnyNumberOfThreads) {
  Batch batch(3, 150, GetParam().config.vocabulary, 8);
  batch.documents = hyscale::tests::documents_at(3, 150, {3, 64, 65, 149});
  const auto gradients_on = [&](int threads) {
    const hyscale::tests::ThreadCount count(threads);
    Model model = fresh(DType::f32);
    std::vector<double> result{model.forward_backward(batch.tokens(), 1)};
    const std::vector<double> gradients = values_of(model.parameters().gradients());
    result.insert(result.end(), gradients.begin(), gradients.end());
    return result;
  };
  const std::vector<double> one = gradients_on(1);
  EXPECT_EQ(one, gradients_on(2));
  EXPECT_EQ(one, gradients_on(5));
}

TEST_P(EveryStack, ASequenceSeesNeitherItsFutureNorItsNeighbour) {
  Model model = fresh(DType::f32);
  const int64_t vocabulary = GetParam().config.vocabulary;
  const OwnedTensor before(DType::f32, {kSequences * kLength, vocabulary}),
      after(DType::f32, {kSequences * kLength, vocabulary});
  model.logits(batch_.tokens(), before);
  int32_t& moved = batch_.inputs.tensor().view<int32_t, 2>()(0, 6);
  moved = (moved + 1) % static_cast<int32_t>(vocabulary);
  model.logits(batch_.tokens(), after);
  const auto rows = [&](const Tensor& t, int64_t begin, int64_t count) { return values_of(t.slice(0, begin, count)); };
  EXPECT_EQ(rows(before, 0, 6), rows(after, 0, 6));
  EXPECT_NE(rows(before, 6, 1), rows(after, 6, 1));
  EXPECT_NE(rows(before, 7, 1), rows(after, 7, 1));
  EXPECT_EQ(rows(before, kLength, kLength), rows(after, kLength, kLength));
}

TEST_P(EveryStack, AllocatesNothingOnceTheArenaHasGrown) {
  Model model = fresh(DType::f32);
  for (int i = 0; i < 3; ++i) model.forward_backward(batch_.tokens(), 1);
  const size_t grown = model.activation_bytes();
  for (int i = 0; i < 20; ++i) model.forward_backward(batch_.tokens(), 1);
  EXPECT_EQ(model.activation_bytes(), grown);
}

INSTANTIATE_TEST_SUITE_P(Model, EveryStack, ::testing::ValuesIn(stacks()),
                         [](const auto& param) { return param.param.name; });

TEST(Model, AddsGradientsAndScalesThem) {
  const Stack stack = stacks().front();
  const Batch batch(2, 9, stack.config.vocabulary, 1);
  Model model(stack.config, DType::f64);
  model.parameters().initialise(1);
  model.forward_backward(batch.tokens(), 1);
  const std::vector<double> once = values_of(model.parameters().gradients());
  model.forward_backward(batch.tokens(), 2);
  const std::vector<double> thrice = values_of(model.parameters().gradients());
  for (size_t i = 0; i < once.size(); ++i) ASSERT_NEAR(thrice[i], 3 * once[i], 1e-12);
}

TEST(Model, TokenLossesAndLogitsTellTheSameStory) {
  const Stack stack = stacks().front();
  const int64_t vocabulary = stack.config.vocabulary;
  const Batch batch(2, 9, vocabulary, 1);
  Model model(stack.config, DType::f32);
  model.parameters().initialise(1);
  const OwnedTensor nll(DType::f32, {2, 9}), logits(DType::f32, {18, vocabulary});
  model.token_nll(batch.tokens(), nll);
  model.logits(batch.tokens(), logits);
  const double total = model.forward_backward(batch.tokens(), 1);
  double sum = 0;
  for (int64_t row = 0; row < 18; ++row) {
    const int32_t target = batch.targets.tensor().as<int32_t>()[row];
    double exponentials = 0;
    for (int64_t c = 0; c < vocabulary; ++c) exponentials += std::exp(logits.tensor().view<float, 2>()(row, c));
    const double wanted =
        target < 0 ? 0 : std::log(exponentials) - static_cast<double>(logits.tensor().view<float, 2>()(row, target));
    EXPECT_NEAR(nll.tensor().as<float>()[row], wanted, 1e-5);
    sum += wanted;
  }
  EXPECT_NEAR(total, sum, 1e-4);
}

TEST(Model, AnExtensionOfRopeReachesTheAttentionInsideAHybridLayer) {
  const spec::ModelConfig config = model_config(
      "{H: {kind: hybrid, branches: [{kind: mamba2, d_ssm: 16, head_dim: 8, d_state: 4}, "
      "{kind: attention, heads: 2, head_dim: 6, rope: {theta: 50}}]}}",
      "H", "{kind: none}");
  const Batch batch(1, 12, config.vocabulary, 1);
  const auto logits = [&](const char* extension) {
    Model model(config, DType::f64, spec::parse_rope_extension(extension));
    model.parameters().initialise(1);
    const OwnedTensor out(DType::f64, {12, config.vocabulary});
    model.logits(batch.tokens(), out);
    return values_of(out);
  };
  EXPECT_EQ(logits("linear:1"), logits("none"));
  for (const char* extension : {"linear:2", "ntk:2", "yarn:2"}) EXPECT_NE(logits(extension), logits("none"));
}

TEST(Model, LearnsOneBatchByHeart) {
  const Stack stack = stacks().front();
  const Batch batch(2, 12, stack.config.vocabulary, 4);
  Model model(stack.config, DType::f32);
  model.parameters().initialise(2);
  const int64_t n = model.parameters().weights().numel();
  const OwnedTensor m(DType::f32, {n}), v(DType::f32, {n});
  const auto view = [](const Tensor& t) { return t.view<float, 1>(); };
  const auto gradients = view(model.parameters().gradients());
  double first = 0, last = 0;
  for (int64_t step = 1; step <= 250; ++step) {
    model.parameters().clear_gradients();
    last = model.forward_backward(batch.tokens(), 1.0 / 22) / 22;
    if (step == 1) first = last;
    optim::adamw({.weights = view(model.parameters().weights()),
                  .gradients = {gradients.data, gradients.extents, gradients.strides},
                  .m = view(m),
                  .v = view(v),
                  .lr = 1e-2,
                  .step = step});
  }
  EXPECT_NEAR(first, std::log(17.0), 0.2);
  EXPECT_LT(last, 0.05);
}

TEST(Model, HasOneEpsilonInAllItsNorms) {
  for (const Stack& stack : stacks()) {
    const BatchShape shape{.sequences = 1, .length = 7};
    const auto value = [&](double epsilon) {
      ParameterTable table(stack.config.stack[0].mixer->parameters(12), DType::f64);
      table.initialise(1);
      const auto mixer = make_mixer(*stack.config.stack[0].mixer, {.d_model = 12, .norm_epsilon = epsilon}, table, "");
      const OwnedTensor x = hyscale::tests::random_tensor(DType::f64, {7, 12}, 2), out(DType::f64, {7, 12});
      Arena arena;
      mixer->forward(x, out, shape, {.device = Device::cpu, .arena = &arena});
      return values_of(out);
    };
    const std::vector<spec::ParameterSpec> list = stack.config.stack[0].mixer->parameters(12);
    const bool norms = std::any_of(list.begin(), list.end(),
                                   [](const spec::ParameterSpec& p) { return p.name.ends_with("norm.weight"); });
    EXPECT_EQ(value(1e-5) != value(1e-2), norms) << stack.name;
  }
}

TEST(Model, ShowsALossThatIsNotANumber) {
  const Stack stack = stacks().front();
  const Batch batch(1, 9, stack.config.vocabulary, 1);
  Model model(stack.config, DType::f32);
  model.parameters().initialise(1);
  model.parameters().at("layers.0.mixer.qkv.weight").weight.as<float>()[0] = std::nanf("");
  EXPECT_TRUE(std::isnan(model.forward_backward(batch.tokens(), 1)));
}

TEST(Model, NamesTheFirstTensorThatIsNotFinite) {
  const Stack stack = stacks().front();
  const Batch batch(1, 9, stack.config.vocabulary, 1);
  const auto found_with = [&](const char* parameter, float value) {
    Model model(stack.config, DType::f32);
    model.parameters().initialise(1);
    if (parameter != nullptr) model.parameters().at(parameter).weight.as<float>()[0] = value;
    return model.find_nonfinite(batch.tokens(), 1);
  };
  EXPECT_EQ(found_with(nullptr, 0), "");
  EXPECT_EQ(found_with("layers.0.mixer.qkv.weight", std::nanf("")), "layers.0.mixer.qkv.weight");
  EXPECT_EQ(found_with("layers.0.ffn_norm.weight", 3e38F), "layers.0.ffn's output");
}

}  // namespace hyscale::model::tests
