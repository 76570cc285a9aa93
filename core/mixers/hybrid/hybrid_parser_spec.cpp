#include <fmt/format.h>

#include "core/base/yaml_reader.h"
#include "core/mixers/hybrid/hybrid_spec.h"

namespace hyscale::spec {

template <class Choice>
static Choice choose(YamlMap& map, const char* key, const std::vector<std::string>& words, Choice otherwise = {}) {
  return static_cast<Choice>(map.choice(key, words, static_cast<size_t>(otherwise)));
}

static std::shared_ptr<const MixerSpec> parse_branch(const YamlValue& value, int64_t d_model) {
  auto branch = parse_mixer(value.as_map(), d_model);
  if (!branch || branch->kind() == "attention" || branch->kind() == "mamba2") return branch;
  value.problem(fmt::format("{} is a {}", value.path(), branch->kind()), "use attention or mamba2",
                "a hybrid's branches are plain mixers");
  return nullptr;
}

// What the layer decides about a branch: who norms, who gives values.
static std::shared_ptr<const MixerSpec> settled(const std::shared_ptr<const MixerSpec>& branch, bool gated_norm,
                                                bool own_value) {
  if (const auto* attention = dynamic_cast<const AttentionSpec*>(branch.get())) {
    auto copy = std::make_shared<AttentionSpec>(*attention);
    copy->own_value = own_value;
    return copy;
  }
  auto copy = std::make_shared<Mamba2Spec>(dynamic_cast<const Mamba2Spec&>(*branch));
  copy->gated_norm = gated_norm;
  copy->own_value = own_value;
  return copy;
}

static void check_shared_value(const YamlMap& map, const HybridSpec& spec) {
  const auto* giver = dynamic_cast<const AttentionSpec*>(spec.branches[spec.value_giver()].get());
  if (giver == nullptr)
    return map.problem_at("value", fmt::format("{}.value: joint needs an attention branch", map.path()),
                          "use value: separate, or an attention branch", "its values are what the branches share");
  const size_t taker = 1 - spec.value_giver();
  if (const auto* other = dynamic_cast<const AttentionSpec*>(spec.branches[taker].get())) {
    if (other->heads != giver->heads || other->kv_heads != giver->kv_heads || other->value_dim != giver->value_dim)
      map.problem_at(
          "value",
          fmt::format("{}.value: joint, but the branches have {} and {} heads, {} and {} kv_heads, {} and {} "
                      "value_dim",
                      map.path(), giver->heads, other->heads, giver->kv_heads, other->kv_heads, giver->value_dim,
                      other->value_dim),
          "give both the same", "both read the same value heads");
  } else if (spec.value_width(taker) != giver->value_dim) {
    map.problem_at("value",
                   fmt::format("{}.value: joint, but d_ssm = {} and value_dim = {}", map.path(),
                               spec.value_width(taker), giver->value_dim),
                   fmt::format("use d_ssm: {}, or value_dim: {}", giver->value_dim, spec.value_width(taker)),
                   "attention's values are the scan's input");
  }
}

static void check(const YamlMap& map, const HybridSpec& spec) {
  if (spec.fusion == HybridFusion::concat && spec.output == HybridOutput::separate)
    map.problem_at("output", fmt::format("{}.output: separate does not go with fusion: concat", map.path()),
                   "use output: joint, or fusion: add", "a concatenation has one projection");
  if (spec.scale != HybridScale::diff && map.has("lambda_init"))
    map.problem_at("lambda_init", fmt::format("{}.lambda_init belongs to scale: diff", map.path()),
                   "use scale: diff, or leave lambda_init out");
  if (spec.branches[0] == nullptr || spec.branches[1] == nullptr) return;  // reported where they were read
  if (spec.value == HybridValue::joint) check_shared_value(map, spec);
  const int64_t first = spec.value_width(0), second = spec.value_width(1);
  if (spec.sums_values() && first != second)
    map.problem_at(
        "output",
        fmt::format("{}.output: joint, but the branches' values have {} and {} channels", map.path(), first, second),
        "make d_ssm and value_dim equal, or use output: separate", "they are added up before their projection");
}

std::shared_ptr<const MixerSpec> parse_hybrid(YamlMap& map, int64_t d_model) {
  const size_t before = map.problems().list().size();
  auto spec = std::make_shared<HybridSpec>();
  spec->norm = choose<HybridNorm>(map, "norm", kHybridNorms);
  spec->scale = choose<HybridScale>(map, "scale", kHybridScales);
  spec->fusion = choose<HybridFusion>(map, "fusion", kHybridFusions);
  spec->value = choose<HybridValue>(map, "value", kHybridValues);
  const bool concat = spec->fusion == HybridFusion::concat;
  spec->output = choose(map, "output", kHybridOutputs, concat ? HybridOutput::joint : HybridOutput::separate);
  spec->lambda_init = map.optional<double>("lambda_init", spec->lambda_init, {.min = -10, .max = 10});
  const YamlValue list = map.value("branches");
  const std::vector<YamlValue> items = list.as_sequence();
  if (list.is_sequence() && items.size() != 2)
    list.problem(fmt::format("{} has {} branches", list.path(), items.size()), "a hybrid block has exactly two");
  for (size_t b = 0; b < std::min<size_t>(items.size(), 2); ++b) spec->branches[b] = parse_branch(items[b], d_model);
  check(map, *spec);
  if (map.problems().list().size() > before) return nullptr;
  const bool joint = spec->value == HybridValue::joint;
  const size_t giver = joint ? spec->value_giver() : 0;
  for (size_t b = 0; b < 2; ++b)
    spec->branches[b] = settled(spec->branches[b], spec->norm == HybridNorm::group, !joint || b == giver);
  return spec;
}

}  // namespace hyscale::spec
