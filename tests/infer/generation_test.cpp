#include "core/infer/generation.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/model/stacks.h"

namespace hyscale::infer {
namespace {

using Tokens = std::vector<int32_t>;

class GenerationTest : public ::testing::Test {
 protected:
  GenerationTest() { model_.parameters().initialise(5); }

  std::vector<Tokens> generate(const Request& request, const Sampling& sampling = {}) {
    Generation generation(model_, request, sampling);
    generation.read_prompts();
    while (!generation.done()) generation.step();
    std::vector<Tokens> all;
    for (size_t s = 0; s < request.prompts.size(); ++s) all.push_back(generation.generated(s));
    return all;
  }
  /// The likeliest next token by a forward pass over everything so far.
  int32_t next_by_forward(const Tokens& so_far) {
    const auto length = static_cast<int64_t>(so_far.size());
    OwnedTensor inputs(DType::i32, {1, length}), targets(DType::i32, {1, length}), logits(DType::f32, {length, 17});
    std::copy(so_far.begin(), so_far.end(), inputs.tensor().as<int32_t>());
    model_.logits({.inputs = inputs, .targets = targets}, logits);
    const float* const last = logits.tensor().as<float>() + (length - 1) * 17;
    return static_cast<int32_t>(std::max_element(last, last + 17) - last);
  }

  const spec::ModelConfig config_ = model::tests::model_config(
      "{A: {kind: attention, heads: 3, kv_heads: 1, head_dim: 4, rope: {theta: 10000}, window: 5}, M: {kind: mamba2, "
      "d_ssm: 8, head_dim: 4, d_state: 4}}",
      "AMA", "{kind: swiglu, d_ff: 16}");
  model::Model model_{config_, DType::f32};
};

TEST_F(GenerationTest, TakesTheLikeliestTokenOfTheForwardPass) {
  Tokens text{3, 1, 4, 1, 5};
  const Tokens generated = generate({.prompts = {text}, .tokens = 25, .piece = 2}).front();
  ASSERT_EQ(generated.size(), 25u);
  for (const int32_t token : generated) {
    EXPECT_EQ(token, next_by_forward(text));
    text.push_back(token);
  }
}

TEST_F(GenerationTest, ASequenceDoesNotDependOnThoseBesideIt) {
  const Tokens one{2}, two{9, 2, 6, 5, 3, 5}, three{8, 9, 7};
  const std::vector<Tokens> together = generate({.prompts = {one, two, three}, .tokens = 9});
  for (const auto& [prompt, expected] : {std::pair{one, together[0]}, {two, together[1]}, {three, together[2]}})
    EXPECT_EQ(generate({.prompts = {prompt}, .tokens = 9}).front(), expected);
  const Sampling drawn{.temperature = 1, .seed = 3};
  EXPECT_EQ(generate({.prompts = {one, two}, .tokens = 9}, drawn)[0],
            generate({.prompts = {one}, .tokens = 9}, drawn)[0]);
}

TEST_F(GenerationTest, EndsBehindItsLastToken) {
  const Tokens free = generate({.prompts = {{3, 1}, {7, 7, 7}}, .tokens = 12}).front();
  const auto stop = std::find(free.begin() + 1, free.end(), free[2]);
  const std::vector<Tokens> ended = generate({.prompts = {{3, 1}, {7, 7, 7}}, .tokens = 12, .end = *stop});
  EXPECT_EQ(ended[0].back(), *stop);
  EXPECT_EQ(std::count(ended[0].begin(), ended[0].end(), *stop), 1);
  EXPECT_TRUE(std::equal(ended[0].begin(), ended[0].end(), free.begin()));
}

TEST_F(GenerationTest, RefusesPromptsThatCannotBeReadAllAtOnce) {
  try {
    generate({.prompts = {{1, 17}, {}, {-1}}, .tokens = 1});
    FAIL() << "nothing was refused";
  } catch (const ConfigError& error) {
    EXPECT_EQ(error.problems().size(), 3u);
  }
  EXPECT_THROW(generate({.prompts = {}, .tokens = 1}), ConfigError);
}

}  // namespace
}  // namespace hyscale::infer
