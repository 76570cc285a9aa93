#pragma once

#include <string>

namespace hyscale::spec {

/// A correct run.yaml that uses every kind of mixer; tests change one place of it.
inline const std::string kRunText = R"(format: hyscale.run/1
model:
  vocabulary: 258
  context: 256
  d_model: 64
  mixers:
    A: {kind: attention, heads: 4, kv_heads: 2, head_dim: 16, rope: {theta: 10000}}
    W: {kind: attention, heads: 4, kv_heads: 2, head_dim: 16, window: 32, sinks: 4}
    M: {kind: mamba2, d_ssm: 128, head_dim: 16, d_state: 16}
    H: {kind: hybrid, branches: [{kind: mamba2, d_ssm: 64, head_dim: 16, d_state: 16},
                                 {kind: attention, heads: 2, kv_heads: 1, head_dim: 16, value_dim: 64}]}
  stack: MMAWMH
  ffn: {kind: swiglu, d_ff: 176}
data: {corpus: tiny, seed: 3}
train:
  tokens: 51200
  batch_tokens: 512
  optimizer: {kind: adamw, lr: 3e-3}
  schedule: {kind: trapezoid, warmup_tokens: 5120, cooldown_tokens: 10240}
)";

/// `text` with the first `from` replaced; fails loudly when it is not there, so that a test cannot compare like with
/// like.
inline std::string with(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);  // npos throws std::out_of_range
}

}  // namespace hyscale::spec
