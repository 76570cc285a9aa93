#pragma once

#include <array>

#include "core/spec/mixer_spec.h"

namespace hyscale::spec {

/// Mamba-2 (Dao & Gu 2024): one projection to z | x | B | C | dt, causal depthwise convolution with silu over x | B |
/// C, the SSD scan h_t = exp(−exp(a_log) dt_t) h_{t−1} + dt_t x_t B_tᵀ, y_t = h_t C_t + d x_t with dt = softplus(dt +
/// dt_bias), then the gated norm RMSNorm(y · silu(z)) over d_ssm / norm_groups, then the out-projection.
///
/// Parameters, in this order:
///   in.weight   [2·d_ssm + 2·groups·d_state + heads, d_model]   rows z | x | B | C | dt; without
///                                                               `own_value` there is no x
///   conv.weight [d_ssm + 2·groups·d_state, conv]                oldest tap first
///   conv.bias   [d_ssm + 2·groups·d_state]
///   dt_bias [heads], a_log [heads], d [heads]
///   norm.weight [d_ssm]                                         absent when `gated_norm` is false
///   out.weight  [d_model, d_ssm]
struct Mamba2Spec final : MixerSpec {
  int64_t d_ssm = 0;
  int64_t head_dim = 64;
  int64_t d_state = 0;
  int64_t groups = 1;   // of B and C
  int64_t conv = 4;     // taps, 1 … 8
  int64_t chunk = 128;  // tokens of one SSD chunk; a last chunk may be short
  int64_t norm_groups = 1;
  std::array<double, 2> a_init{0.01, 2.0};       // A starts uniform in it (arXiv 2510.04800, App. D)
  std::array<double, 2> dt_init{1e-3, 1e-1};     // dt starts log-uniform in it
  std::shared_ptr<const Mamba2Spec> whole = {};  // of a part: what the ranks share; null otherwise
  HeadShare share = {};                          // of a part: its groups are those of B and C
  bool split_norm = false;                       // of a part: some norm group lies on several ranks
  bool own_value = true;   // false: x is the value of a hybrid's attention branch (`value: joint`); no key of its own
  bool gated_norm = true;  // false: y · silu(z) alone (a hybrid's branch under `norm: none`); no key of its own

  int64_t heads() const { return d_ssm / head_dim; }
  int64_t conv_width() const { return d_ssm + 2 * groups * d_state; }
  int64_t in_width() const { return 2 * d_ssm + 2 * groups * d_state + heads(); }  // of z | x | B | C | dt
  int64_t in_rows() const { return own_value ? in_width() : in_width() - d_ssm; }  // of in.weight

  std::string_view kind() const override { return "mamba2"; }
  std::vector<ParameterSpec> parameters(int64_t d_model) const override;
  int64_t paper_parameters(int64_t d_model) const override;
  MixerFlops flops_per_token(int64_t d_model, int64_t context) const override;
  CacheSize cache(int64_t context) const override;
  ActivationSize activations(int64_t sequences, int64_t length) const override;
  nlohmann::json canonical() const override;
  std::string to_yaml() const override;
  std::shared_ptr<const MixerSpec> at_scale(const MixerScale& scale) const override;
  std::string split_problem(int ranks) const override;
  std::shared_ptr<const MixerSpec> part(Shard shard) const override;
  /// The part of rank `rank` under a cut of all heads; null where head_share has none.
  std::shared_ptr<const Mamba2Spec> part(const std::vector<Interval>& cuts, int rank) const;
  /// Channels of the whole value row that a part holds.
  Interval value_range() const { return {share.heads.begin * head_dim, d_ssm}; }

 private:
  std::vector<ParameterSpec> cut_parameters(int64_t d_model) const;
};

/// Reads the block's own keys; problems go to the map's collector, then nullptr is returned.
std::shared_ptr<const MixerSpec> parse_mamba2(YamlMap& map, int64_t d_model);

}  // namespace hyscale::spec
