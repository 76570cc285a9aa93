#pragma once

#include <array>

#include "core/mixers/attention/attention_spec.h"
#include "core/mixers/mamba2/mamba2_spec.h"

namespace hyscale::spec {

// The words of run.yaml, in the order of the enumerators; the first is the default.
enum class HybridNorm { group, none };
inline const std::vector<std::string> kHybridNorms{"group", "none"};
enum class HybridScale { none, per_channel, diff, gate, alpha };
inline const std::vector<std::string> kHybridScales{"none", "per_channel", "diff", "gate", "alpha"};
enum class HybridFusion { subtract, add, concat };
inline const std::vector<std::string> kHybridFusions{"subtract", "add", "concat"};
enum class HybridValue { separate, joint };
inline const std::vector<std::string> kHybridValues{"separate", "joint"};
enum class HybridOutput { separate, joint };
inline const std::vector<std::string> kHybridOutputs{"separate", "joint"};

/// Two mixers side by side on the same input x (arXiv 2510.04800 §3, Tables 6 and 18, App. D). v_i is branch i's value
/// row: attention's heads side by side, or the scan's y · silu(z).
///
/// norm    none         n_i = v_i
///         group        n_i = RMSNorm(v_i) over the whole row, weights of its own (Mamba: its gated norm, norm_groups)
/// scale   none         s_i = n_i
///         per_channel  s_i = β_i ⊙ n_i, a learned vector for each branch (Dong et al. 2024, "Hymba")
///         diff         s_0 = n_0, s_1 = λ n_1 with λ = exp(λ_q1·λ_k1) − exp(λ_q2·λ_k2) + lambda_init, one learned
///         number
///                      (Ye et al. 2024, "Differential Transformer", eq. 2; there lambda_init depends on the depth,
///                      here layers that shall differ are blocks of their own)
///         gate         s_i = σ(w_i·x) n_i, a number per token and branch (the paper names a gate without a formula)
///         alpha        s_0 = α n_0, s_1 = (1 − α) n_1 with α = σ(w·x) per token (the paper's probe, App. Q)
/// fusion  subtract, add   s_0 − s_1, s_0 + s_1
///         concat       [s_0 ; s_1] (Zuo et al. 2025, "Falcon-H1")
/// output  separate     out = W_0 s_0 ± W_1 s_1
///         joint        out = W (s_0 ± s_1), or W [s_0 ; s_1]: a concatenation has no other
/// value   separate     each branch projects its own
///         joint        the other branch takes the values that the first attention branch projects: an attention branch
///                      reads the same value heads; for a Mamba branch they are x, before its convolution, each value
///                      head repeated for the query heads that read it
///
/// Parameters: branches.0.<its own names>, branches.1.<its own names>, where
///   branches.N.norm.weight [value_dim]   also for attention, under `norm: group`
///   branches.N.scale [value width]       `scale: per_channel`
///   branches.N.out.weight                only with `output: separate`
/// then lambda [4, head_dim of the second branch] (rows q1 k1 q2 k2) with `diff`, gate.weight [2, d_model] with `gate`,
/// alpha.weight [1, d_model] with `alpha`, out.weight [d_model, width of the fusion] with `output: joint`.
struct HybridSpec final : MixerSpec {
  std::array<std::shared_ptr<const MixerSpec>, 2> branches;  // attention or mamba2, never null
  HybridNorm norm = HybridNorm::group;
  HybridScale scale = HybridScale::none;
  HybridFusion fusion = HybridFusion::subtract;  // first minus second
  HybridValue value = HybridValue::separate;
  HybridOutput output = HybridOutput::separate;
  double lambda_init = 0.8;                      // only with `diff`
  std::shared_ptr<const HybridSpec> whole = {};  // of a part: what the ranks share; null otherwise
  Shard shard = {};                              // of a part

  /// Of the branch's value row.
  int64_t value_width(size_t branch) const;
  /// The values are added up (or subtracted) before their one projection, so they are equally wide.
  bool sums_values() const { return output == HybridOutput::joint && fusion != HybridFusion::concat; }
  /// Columns of the joint out.weight.
  int64_t fused_width() const;
  /// The branch whose values the other one takes: the first attention branch. Only with `value: joint`.
  size_t value_giver() const;

  std::string_view kind() const override { return "hybrid"; }
  std::vector<ParameterSpec> parameters(int64_t d_model) const override;
  int64_t paper_parameters(int64_t d_model) const override;
  MixerFlops flops_per_token(int64_t d_model, int64_t context) const override;
  CacheSize cache(int64_t context) const override;
  ActivationSize activations(int64_t sequences, int64_t length) const override;
  nlohmann::json canonical() const override;
  std::string to_yaml() const override;
  bool has_rope() const override { return branches[0]->has_rope() || branches[1]->has_rope(); }
  std::shared_ptr<const MixerSpec> at_scale(const MixerScale& scale) const override;
  std::string split_problem(int ranks) const override;
  /// Both branches by their own heads; where their values are added up or shared, both at the same channels.
  std::shared_ptr<const MixerSpec> part(Shard of) const override;

 private:
  std::array<std::shared_ptr<const MixerSpec>, 2> branch_parts(Shard of) const;
  void append_branch(std::vector<ParameterSpec>& list, size_t b, int64_t d_model) const;
};

/// Reads the block's own keys; problems go to the map's collector, then nullptr is returned.
std::shared_ptr<const MixerSpec> parse_hybrid(YamlMap& map, int64_t d_model);

}  // namespace hyscale::spec
