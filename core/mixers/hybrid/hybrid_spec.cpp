#include "core/mixers/hybrid/hybrid_spec.h"

#include <algorithm>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/yaml_reader.h"

namespace hyscale::spec {

static const AttentionSpec* as_attention(const MixerSpec& mixer) { return dynamic_cast<const AttentionSpec*>(&mixer); }
static const Mamba2Spec* as_mamba2(const MixerSpec& mixer) { return dynamic_cast<const Mamba2Spec*>(&mixer); }

std::vector<ParameterSpec> HybridSpec::parameters(int64_t d_model) const {
  std::vector<ParameterSpec> list;
  for (size_t b = 0; b < branches.size(); ++b) {
    const std::string prefix = fmt::format("branches.{}.", b);
    const AttentionSpec* attention = as_attention(*branches[b]);
    for (ParameterSpec parameter : branches[b]->parameters(d_model)) {
      if (attention && norm == HybridNorm::group && parameter.name == "out.weight")
        list.push_back({.name = prefix + "norm.weight",
                        .shape = {attention->value_dim},
                        .init = {InitKind::constant, 1, 0},
                        .decay = false});
      parameter.name = prefix + parameter.name;
      list.push_back(std::move(parameter));
    }
  }
  return list;
}

int64_t HybridSpec::paper_parameters(int64_t d_model) const {
  return branches[0]->paper_parameters(d_model) + branches[1]->paper_parameters(d_model);
}

MixerFlops HybridSpec::flops_per_token(int64_t d_model, int64_t context) const {
  const MixerFlops a = branches[0]->flops_per_token(d_model, context);
  const MixerFlops b = branches[1]->flops_per_token(d_model, context);
  return {.paper = a.paper + b.paper, .executed = a.executed + b.executed};
}

CacheSize HybridSpec::cache(int64_t context) const {
  const CacheSize a = branches[0]->cache(context), b = branches[1]->cache(context);
  return {.kv_elements = a.kv_elements + b.kv_elements,
          .conv_elements = a.conv_elements + b.conv_elements,
          .state_elements = a.state_elements + b.state_elements,
          .paper_bytes_bf16 = a.paper_bytes_bf16 + b.paper_bytes_bf16};
}

nlohmann::json HybridSpec::canonical() const {
  nlohmann::json json{{"kind", "hybrid"}, {"branches", {branches[0]->canonical(), branches[1]->canonical()}}};
  if (norm != HybridNorm::group) json["norm"] = "none";
  if (fusion != HybridFusion::subtract) json["fusion"] = "add";
  return json;
}

std::string HybridSpec::to_yaml() const {
  return fmt::format(
      "{{kind: hybrid, branches: [{}, {}], norm: {}, scale: none, fusion: {}, value: separate, output: separate}}",
      branches[0]->to_yaml(), branches[1]->to_yaml(), norm == HybridNorm::group ? "group" : "none",
      fusion == HybridFusion::subtract ? "subtract" : "add");
}

static int64_t largest_divisor_up_to(int64_t value, int64_t limit) {
  int64_t divisor = std::max<int64_t>(1, limit);
  while (value % divisor != 0) --divisor;
  return divisor;
}

// The paper's split: queries and keys of half the width, values of the full one; half the Mamba width.
std::shared_ptr<const MixerSpec> HybridSpec::at_scale(const MixerScale& scale) const {
  auto spec = std::make_shared<HybridSpec>(*this);
  for (auto& branch : spec->branches) {
    const auto whole = branch->at_scale(scale);
    if (const AttentionSpec* attention = as_attention(*whole)) {
      auto half = std::make_shared<AttentionSpec>(*attention);
      half->heads = std::max<int64_t>(1, attention->heads / 2);
      half->kv_heads = largest_divisor_up_to(half->heads, half->heads / scale.heads_per_kv_head);
      branch = half;
    } else if (const Mamba2Spec* mamba = as_mamba2(*whole)) {
      auto half = std::make_shared<Mamba2Spec>(*mamba);
      half->d_ssm = mamba->d_ssm / 2;
      branch = half;
    }
  }
  return spec;
}

// A word of the paper's design space: the first `supported` words work, the others are known and refused.
static size_t supported_choice(YamlMap& map, const std::string& key, const std::vector<std::string>& words,
                               size_t supported) {
  const size_t index = map.choice(key, words, 0);
  if (index < supported) return index;
  std::string use = words[0];
  for (size_t i = 1; i < supported; ++i) use += ", " + words[i];
  map.problem_at(key, fmt::format("{}.{}: {} is not supported yet", map.path(), key, words[index]),
                 "supported here: " + use, "no layer computes it yet");
  return 0;
}

static std::shared_ptr<const MixerSpec> parse_branch(const YamlValue& value, int64_t d_model, bool gated_norm) {
  auto branch = parse_mixer(value.as_map(), d_model);
  if (!branch) return nullptr;
  if (const Mamba2Spec* mamba = as_mamba2(*branch)) {
    auto copy = std::make_shared<Mamba2Spec>(*mamba);
    copy->gated_norm = gated_norm;
    return copy;
  }
  if (as_attention(*branch)) return branch;
  value.problem(fmt::format("{} is a {}", value.path(), branch->kind()), "use attention or mamba2",
                "a hybrid's branches are plain mixers");
  return nullptr;
}

std::shared_ptr<const MixerSpec> parse_hybrid(YamlMap& map, int64_t d_model) {
  const size_t before = map.problems().list().size();
  auto spec = std::make_shared<HybridSpec>();
  spec->norm = supported_choice(map, "norm", {"group", "none"}, 2) == 0 ? HybridNorm::group : HybridNorm::none;
  spec->fusion = supported_choice(map, "fusion", {"subtract", "add", "concat"}, 2) == 0 ? HybridFusion::subtract
                                                                                        : HybridFusion::add;
  supported_choice(map, "scale", {"none", "vector", "diff", "gate"}, 1);
  supported_choice(map, "value", {"separate", "joint"}, 1);
  supported_choice(map, "output", {"separate", "joint"}, 1);
  const YamlValue list = map.value("branches");
  const std::vector<YamlValue> items = list.as_sequence();
  if (list.is_sequence() && items.size() != 2)
    list.problem(fmt::format("{} has {} branches", list.path(), items.size()), "a hybrid block has exactly two");
  for (size_t b = 0; b < std::min<size_t>(items.size(), 2); ++b)
    spec->branches[b] = parse_branch(items[b], d_model, spec->norm == HybridNorm::group);
  return map.problems().list().size() > before ? nullptr : spec;
}

}  // namespace hyscale::spec
