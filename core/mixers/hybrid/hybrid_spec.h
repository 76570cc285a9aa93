#pragma once

#include "core/mixers/attention/attention_spec.h"
#include "core/mixers/mamba2/mamba2_spec.h"

namespace hyscale::spec {

enum class HybridNorm { none, group };
enum class HybridFusion { subtract, add };

/// Two mixers side by side on the same input (arXiv 2510.04800, §3 and App. D), each with its own out-projection:
///   out = out_0(norm_0(branch_0(x))) ± out_1(norm_1(branch_1(x)))
/// `norm: group` is one RMSNorm over a branch's whole output before its projection: for a Mamba branch its gated norm,
/// for an attention branch a norm of its own. Supported: scale none, value separate, output separate.
///
/// Parameters: branches.0.<its own names>, branches.1.<its own names>; under `norm: group` an attention branch also has
///   branches.N.norm.weight [value_dim], just before branches.N.out.weight.
struct HybridSpec final : MixerSpec {
  std::array<std::shared_ptr<const MixerSpec>, 2> branches;  // attention or mamba2, never null
  HybridNorm norm = HybridNorm::group;
  HybridFusion fusion = HybridFusion::subtract;  // first minus second

  std::string_view kind() const override { return "hybrid"; }
  std::vector<ParameterSpec> parameters(int64_t d_model) const override;
  int64_t paper_parameters(int64_t d_model) const override;
  MixerFlops flops_per_token(int64_t d_model, int64_t context) const override;
  CacheSize cache(int64_t context) const override;
  nlohmann::json canonical() const override;
  std::string to_yaml() const override;
  bool has_rope() const override { return branches[0]->has_rope() || branches[1]->has_rope(); }
  std::shared_ptr<const MixerSpec> at_scale(const MixerScale& scale) const override;
};

/// Reads the block's own keys; problems go to the map's collector, then nullptr is returned.
std::shared_ptr<const MixerSpec> parse_hybrid(YamlMap& map, int64_t d_model);

}  // namespace hyscale::spec
