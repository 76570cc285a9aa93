#include "core/mixers/hybrid/hybrid_spec.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace hyscale::spec {

static const AttentionSpec* as_attention(const MixerSpec& mixer) { return dynamic_cast<const AttentionSpec*>(&mixer); }
static const Mamba2Spec* as_mamba2(const MixerSpec& mixer) { return dynamic_cast<const Mamba2Spec*>(&mixer); }

int64_t HybridSpec::value_width(size_t branch) const {
  const AttentionSpec* attention = as_attention(*branches[branch]);
  return attention ? attention->value_dim : as_mamba2(*branches[branch])->d_ssm;
}

int64_t HybridSpec::fused_width() const {
  return fusion == HybridFusion::concat ? value_width(0) + value_width(1) : value_width(0);
}

size_t HybridSpec::value_giver() const { return as_attention(*branches[0]) ? 0 : 1; }

static ParameterSpec vector(std::string name, int64_t width) {
  return {.name = std::move(name), .shape = {width}, .init = {InitKind::constant, 1, 0}, .decay = false};
}

static void append_branch(std::vector<ParameterSpec>& list, const HybridSpec& spec, size_t b, int64_t d_model) {
  const std::string prefix = fmt::format("branches.{}.", b);
  std::vector<ParameterSpec> own = spec.branches[b]->parameters(d_model);
  ParameterSpec out = std::move(own.back());
  own.pop_back();
  for (ParameterSpec& parameter : own) {
    parameter.name = prefix + parameter.name;
    list.push_back(std::move(parameter));
  }
  const bool norm = spec.norm == HybridNorm::group && as_attention(*spec.branches[b]);
  if (norm) list.push_back(vector(prefix + "norm.weight", spec.value_width(b)));
  if (spec.scale == HybridScale::per_channel) list.push_back(vector(prefix + "scale", spec.value_width(b)));
  if (spec.output == HybridOutput::joint) return;
  out.name = prefix + out.name;
  list.push_back(std::move(out));
}

static int64_t head_dim(const MixerSpec& branch) {
  const AttentionSpec* attention = as_attention(branch);
  return attention ? attention->head_dim : as_mamba2(branch)->head_dim;
}

std::vector<ParameterSpec> HybridSpec::parameters(int64_t d_model) const {
  std::vector<ParameterSpec> list;
  for (size_t b = 0; b < branches.size(); ++b) append_branch(list, *this, b, d_model);
  // λ vectors start as the Differential Transformer's; gates start at one half for every token
  if (scale == HybridScale::diff)
    list.push_back(
        {.name = "lambda", .shape = {4, head_dim(*branches[1])}, .init = {InitKind::normal, 0.1, 0}, .decay = false});
  if (scale == HybridScale::gate) list.push_back({.name = "gate.weight", .shape = {2, d_model}, .init = {}});
  if (scale == HybridScale::alpha) list.push_back({.name = "alpha.weight", .shape = {1, d_model}, .init = {}});
  if (output == HybridOutput::joint)
    list.push_back({.name = "out.weight",
                    .shape = {d_model, fused_width()},
                    .init = matrix_init(fused_width()),
                    .writes_residual = true});
  return list;
}

int64_t HybridSpec::paper_parameters(int64_t d_model) const {
  const int64_t both = branches[0]->paper_parameters(d_model) + branches[1]->paper_parameters(d_model);
  const int64_t gates = scale == HybridScale::gate ? 2 : scale == HybridScale::alpha ? 1 : 0;
  const int64_t separate = value_width(0) + value_width(1);
  return both + d_model * (gates + (output == HybridOutput::joint ? fused_width() - separate : 0));
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

static bool is_scaled(HybridScale scale, size_t branch) {
  return scale != HybridScale::none && (scale != HybridScale::diff || branch == 1);
}

// Beside its branches: normed rows of an attention branch, scaled rows or their sum, a factor for each token. Backward
// holds the gradients of these rows and of shared values while the branches take turns; a branch that is not normed
// reads the row's gradient itself, where one that stands alone has a copy of its own.
ActivationSize HybridSpec::activations(int64_t sequences, int64_t length) const {
  const int64_t tokens = sequences * length;
  const bool summed = sums_values();
  const bool weighed = scale == HybridScale::gate || scale == HybridScale::alpha;
  const int64_t weights = weighed ? 2 * tokens : 0, first = tokens * stored_row(value_width(0));
  ActivationSize sum{.kept = weights + (summed ? first : 0), .scratch = weights + (summed ? first : 0)};
  if (value == HybridValue::joint)
    sum.scratch += tokens * stored_row(as_attention(*branches[value_giver()])->v_width());
  int64_t turn = 0;
  for (size_t b = 0; b < 2; ++b) {
    const ActivationSize own = branches[b]->activations(sequences, length);
    const int64_t row = tokens * stored_row(value_width(b));
    const bool normed = as_attention(*branches[b]) && norm == HybridNorm::group;
    const bool scaled = is_scaled(scale, b), negated = summed && b == 1 && fusion == HybridFusion::subtract;
    sum.kept += own.kept + (normed ? row : 0) + (scaled && !summed ? row : 0);
    sum.statistics += own.statistics + (normed ? tokens : 0);
    sum.scan_states += own.scan_states;
    sum.gpu_scan_states += own.gpu_scan_states;
    sum.scratch += (summed ? 0 : row) + (scaled || negated ? row : 0);
    turn = std::max(turn, own.scratch - (normed ? 0 : row));
  }
  sum.scratch += turn;
  return sum;
}

template <class Choice>
static const std::string& word(const std::vector<std::string>& words, Choice choice) {
  return words[static_cast<size_t>(choice)];
}

nlohmann::json HybridSpec::canonical() const {
  static const HybridSpec usual;
  nlohmann::json json{{"kind", "hybrid"}, {"branches", {branches[0]->canonical(), branches[1]->canonical()}}};
  if (norm != usual.norm) json["norm"] = word(kHybridNorms, norm);
  if (scale != usual.scale) json["scale"] = word(kHybridScales, scale);
  if (fusion != usual.fusion) json["fusion"] = word(kHybridFusions, fusion);
  if (value != usual.value) json["value"] = word(kHybridValues, value);
  if (output != usual.output) json["output"] = word(kHybridOutputs, output);
  if (scale == HybridScale::diff && lambda_init != usual.lambda_init) json["lambda_init"] = lambda_init;
  return json;
}

std::string HybridSpec::to_yaml() const {
  return fmt::format("{{kind: hybrid, branches: [{}, {}], norm: {}, scale: {}{}, fusion: {}, value: {}, output: {}}}",
                     branches[0]->to_yaml(), branches[1]->to_yaml(), word(kHybridNorms, norm),
                     word(kHybridScales, scale),
                     scale == HybridScale::diff ? fmt::format(", lambda_init: {}", lambda_init) : "",
                     word(kHybridFusions, fusion), word(kHybridValues, value), word(kHybridOutputs, output));
}

static int64_t largest_divisor_up_to(int64_t value, int64_t limit) {
  int64_t divisor = std::max<int64_t>(1, limit);
  while (value % divisor != 0) --divisor;
  return divisor;
}

// A head of a branch that takes `share` of the block: as it is at one half, else wider or narrower in steps of 8
// channels.
static int64_t head_at_share(int64_t head_dim, double share) {
  if (share == 0.5) return head_dim;
  const int64_t step = head_dim < 16 ? 2 : 8;
  return std::max<int64_t>(step,
                           std::llround(2 * share * static_cast<double>(head_dim) / static_cast<double>(step)) * step);
}

// The paper's split: half the heads to each branch, queries and keys of that width, values of the full one; half the
// Mamba width. Attention has `attention_share` of it, of two like branches the first; where both values must be equally
// wide, only attention's queries and keys follow the share.
std::shared_ptr<const MixerSpec> HybridSpec::at_scale(const MixerScale& size) const {
  auto spec = std::make_shared<HybridSpec>(*this);
  const bool alike = branches[0]->kind() == branches[1]->kind();
  const bool equal = value == HybridValue::joint || sums_values();
  for (size_t b = 0; b < 2; ++b) {
    const auto whole = branches[b]->at_scale(size);
    const bool takes_share = alike ? b == 0 : whole->kind() == "attention";
    const double share = takes_share ? size.attention_share : 1 - size.attention_share;
    if (const AttentionSpec* attention = as_attention(*whole)) {
      auto half = std::make_shared<AttentionSpec>(*attention);
      half->heads = std::max<int64_t>(1, attention->heads / 2);
      half->kv_heads = largest_divisor_up_to(half->heads, half->heads / size.heads_per_kv_head);
      half->head_dim = head_at_share(attention->head_dim, share);
      spec->branches[b] = half;
    } else if (const Mamba2Spec* mamba = as_mamba2(*whole)) {
      auto half = std::make_shared<Mamba2Spec>(*mamba);
      half->head_dim = head_at_share(mamba->head_dim, equal ? 0.5 : share);
      half->d_ssm = mamba->heads() / 2 * half->head_dim;
      spec->branches[b] = half;
    }
  }
  return spec;
}

}  // namespace hyscale::spec
