#include "tests/model/stacks.h"

#include <fmt/format.h>
#include <random>

namespace hyscale::model::tests {

spec::ModelConfig model_config(const std::string& mixers, const std::string& stack, const std::string& ffn,
                               int64_t d_model) {
  const std::string text = fmt::format(R"(format: hyscale.run/1
model:
  vocabulary: 17
  context: 16
  d_model: {}
  mixers: {}
  stack: {}
  ffn: {}
data: {{corpus: none}}
train:
  tokens: 1600
  batch_tokens: 32
  optimizer: {{kind: adamw, lr: 1e-3}}
  schedule: {{kind: constant, warmup_tokens: 320}}
)",
                                       d_model, mixers, stack, ffn);
  return spec::parse_run_config(text, "test").model;
}

std::vector<Stack> stacks_of_sixteens() {
  const std::string attention = "{kind: attention, heads: 4, kv_heads: 2, head_dim: 16, rope: {theta: 100}}",
                    mamba = "{kind: mamba2, d_ssm: 256, head_dim: 16, d_state: 16}",
                    swiglu = "{kind: swiglu, d_ff: 96}";
  const auto hybrid = [&](const std::string& options) {
    return "{H: {kind: hybrid, branches: [{kind: mamba2, d_ssm: 256, head_dim: 16, d_state: 16}, {kind: attention, "
           "heads: 4, kv_heads: 4, head_dim: 16, value_dim: 256}], " +
           options + "}}";
  };
  return {{"attention", model_config("{A: " + attention + "}", "AA", swiglu, 64)},
          {"mamba2", model_config("{M: " + mamba + "}", "MM", swiglu, 64)},
          {"intra_layer", model_config(hybrid("norm: group, scale: per_channel"), "H", swiglu, 64)},
          {"intra_layer_joint", model_config(hybrid("value: joint, output: joint"), "H", swiglu, 64)},
          {"intra_layer_concatenation", model_config(hybrid("fusion: concat"), "H", swiglu, 64)}};
}

std::vector<Stack> stacks() {
  const std::string plain = "{A: {kind: attention, heads: 3, head_dim: 4, rope: {theta: 100}}}";
  const std::string grouped = "{A: {kind: attention, heads: 4, kv_heads: 2, head_dim: 6, value_dim: 20}}";
  const std::string window =
      "{A: {kind: attention, heads: 2, kv_heads: 1, head_dim: 6, rope: {theta: 50}, window: 5, sinks: 2}}";
  const std::string partial =
      "{A: {kind: attention, heads: 2, head_dim: 7, value_dim: 12, rope: {theta: 50, fraction: 0.6, scaling: {kind: "
      "llama3, factor: 8, original_context: 24}}}}";
  const std::string mamba = "{M: {kind: mamba2, d_ssm: 24, head_dim: 8, d_state: 6, chunk: 4}}";
  const std::string mixed =
      "{A: {kind: attention, heads: 3, head_dim: 4}, M: {kind: mamba2, d_ssm: 16, head_dim: 8, d_state: 4}}";
  const auto hybrid = [](const std::string& options) {
    return "{H: {kind: hybrid, branches: [{kind: mamba2, d_ssm: 16, head_dim: 8, d_state: 4, chunk: 4}, "
           "{kind: attention, heads: 2, kv_heads: 1, head_dim: 6, value_dim: 16}], " +
           options + "}}";
  };
  const std::string groups =
      "{M: {kind: mamba2, d_ssm: 24, head_dim: 6, d_state: 5, groups: 2, norm_groups: 2, conv: 3, chunk: 4}}";
  const std::string attentions =
      "{D: {kind: hybrid, branches: [{kind: attention, heads: 2, kv_heads: 1, head_dim: 4, value_dim: 16}, "
      "{kind: attention, heads: 2, kv_heads: 1, head_dim: 6, value_dim: 16, rope: {theta: 100}}], "
      "norm: none, scale: diff, value: joint, output: joint}}";
  const std::string mambas =
      "{D: {kind: hybrid, branches: [{kind: mamba2, d_ssm: 16, head_dim: 8, d_state: 4, chunk: 4}, "
      "{kind: mamba2, d_ssm: 24, head_dim: 6, d_state: 3, chunk: 4}], scale: diff}}";
  const std::string swiglu = "{kind: swiglu, d_ff: 9}";
  return {{"attention", model_config(plain, "AA", swiglu)},
          {"attention_without_ffn", model_config(plain, "AA", "{kind: none}")},
          {"grouped_heads_without_rope", model_config(grouped, "A", swiglu)},
          {"window_and_sinks", model_config(window, "AA", swiglu)},
          {"rope_on_a_part_of_scaled_frequencies", model_config(partial, "AA", swiglu)},
          {"mamba2", model_config(mamba, "MM", swiglu)},
          {"mamba2_with_groups", model_config(groups, "M", swiglu)},
          {"mamba2_without_ffn", model_config(mamba, "M", "{kind: none}")},
          {"inter_layer_hybrid", model_config(mixed, "MA", swiglu)},
          {"intra_layer_hybrid", model_config(hybrid("norm: group, fusion: subtract"), "H", swiglu)},
          {"intra_layer_sum_without_norm", model_config(hybrid("norm: none, fusion: add"), "H", swiglu)},
          {"intra_layer_scaled_per_channel", model_config(hybrid("scale: per_channel"), "H", swiglu)},
          {"intra_layer_differential", model_config(hybrid("scale: diff, lambda_init: 0.6"), "HH", swiglu)},
          {"intra_layer_gated", model_config(hybrid("scale: gate, fusion: add"), "H", swiglu)},
          {"intra_layer_mixed_by_alpha", model_config(hybrid("scale: alpha, fusion: add, output: joint"), "H", swiglu)},
          {"intra_layer_concatenation", model_config(hybrid("fusion: concat"), "H", swiglu)},
          {"intra_layer_joint_values", model_config(hybrid("value: joint, output: joint"), "HH", swiglu)},
          {"differential_transformer", model_config(attentions, "DD", swiglu)},
          {"differential_mamba", model_config(mambas, "D", swiglu)}};
}

Batch::Batch(int64_t sequences, int64_t length, int64_t vocabulary, uint64_t seed)
    : inputs(DType::i32, {sequences, length}), targets(DType::i32, {sequences, length}) {
  std::mt19937_64 generator(seed);
  const auto x = inputs.tensor().view<int32_t, 2>(), y = targets.tensor().view<int32_t, 2>();
  for (int64_t s = 0; s < sequences; ++s)
    for (int64_t t = 0; t < length; ++t) {
      x(s, t) = static_cast<int32_t>(generator() % static_cast<uint64_t>(vocabulary));
      if (t > 0) y(s, t - 1) = x(s, t);
      y(s, t) = -1;
    }
}

}  // namespace hyscale::model::tests
