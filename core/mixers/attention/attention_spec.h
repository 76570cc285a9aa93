#pragma once

#include <optional>

#include "core/mixers/attention/rope_spec.h"
#include "core/spec/mixer_spec.h"

namespace hyscale::spec {

/// Causal softmax attention with grouped keys and values, scores scaled by 1/√head_dim.
/// `window` w > 0: a token sees the last w tokens, itself included, and the first `sinks` tokens of its sequence.
///
/// Parameters, in this order:
///   qkv.weight [heads·head_dim + kv_heads·head_dim + kv_heads·v_head_dim, d_model]   rows q | k | v; without
///              `own_value` q | k alone
///   out.weight [d_model, heads·v_head_dim]
struct AttentionSpec final : MixerSpec {
  int64_t heads = 0;
  int64_t kv_heads = 0;                             // default heads
  int64_t head_dim = 0;                             // of queries and keys; default d_model / heads
  int64_t value_dim = 0;                            // value width of the whole block; default heads · head_dim
  std::optional<Rope> rope;                         // `rope: none`, the default, is NoPE
  int64_t window = 0;                               // 0: full attention
  int64_t sinks = 0;                                // only with a window
  std::shared_ptr<const AttentionSpec> whole = {};  // of a part: what the ranks share; null otherwise
  HeadShare share = {};                             // of a part: its groups are key/value heads
  bool own_value = true;  // false: a hybrid's other branch gives the values (`value: joint`); no key of its own

  int64_t v_head_dim() const { return value_dim / heads; }
  int64_t q_width() const { return heads * head_dim; }
  int64_t k_width() const { return kv_heads * head_dim; }
  int64_t v_width() const { return kv_heads * v_head_dim(); }
  int64_t in_width() const { return q_width() + k_width() + (own_value ? v_width() : 0); }

  std::string_view kind() const override { return "attention"; }
  std::vector<ParameterSpec> parameters(int64_t d_model) const override;
  int64_t paper_parameters(int64_t d_model) const override;
  MixerFlops flops_per_token(int64_t d_model, int64_t context) const override;
  CacheSize cache(int64_t context) const override;
  ActivationSize activations(int64_t sequences, int64_t length) const override;
  nlohmann::json canonical() const override;
  std::string to_yaml() const override;
  bool has_rope() const override { return rope.has_value(); }
  std::shared_ptr<const MixerSpec> at_scale(const MixerScale& scale) const override;
  std::string split_problem(int ranks) const override;
  std::shared_ptr<const MixerSpec> part(Shard shard) const override;
  /// The part of rank `rank` under a cut of all heads; null where head_share has none.
  std::shared_ptr<const AttentionSpec> part(const std::vector<Interval>& cuts, int rank) const;
  /// Channels of the whole value row that a part holds.
  Interval value_range() const { return {share.heads.begin * v_head_dim(), value_dim}; }

 private:
  std::vector<ParameterSpec> cut_parameters(int64_t d_model) const;
};

/// Reads the block's own keys; problems go to the map's collector, then nullptr is returned.
std::shared_ptr<const MixerSpec> parse_attention(YamlMap& map, int64_t d_model);

}  // namespace hyscale::spec
