#include "core/mixers/hybrid/hybrid_spec.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

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

// Channels of the whole value row that a part of a branch holds.
static Interval value_range(const MixerSpec& part) {
  const AttentionSpec* attention = as_attention(part);
  return attention ? attention->value_range() : as_mamba2(part)->value_range();
}

void HybridSpec::append_branch(std::vector<ParameterSpec>& list, size_t b, int64_t d_model) const {
  const std::string prefix = fmt::format("branches.{}.", b);
  std::vector<ParameterSpec> own = branches[b]->parameters(d_model);
  ParameterSpec out = std::move(own.back());
  own.pop_back();
  for (ParameterSpec& parameter : own) {
    parameter.name = prefix + parameter.name;
    list.push_back(std::move(parameter));
  }
  const auto channels = [&](const std::string& name) {
    if (whole == nullptr) return list.push_back(vector(prefix + name, value_width(b)));
    const Interval range = value_range(*branches[b]);
    list.push_back(cut(vector(prefix + name, whole->value_width(b)), 0, {{range.begin, range.count}}));
  };
  if (norm == HybridNorm::group && as_attention(*branches[b])) channels("norm.weight");
  if (scale == HybridScale::per_channel) channels("scale");
  if (output == HybridOutput::joint) return;
  out.name = prefix + out.name;
  list.push_back(std::move(out));
}

static int64_t head_dim(const MixerSpec& branch) {
  const AttentionSpec* attention = as_attention(branch);
  return attention ? attention->head_dim : as_mamba2(branch)->head_dim;
}

std::vector<ParameterSpec> HybridSpec::parameters(int64_t d_model) const {
  std::vector<ParameterSpec> list;
  for (size_t b = 0; b < branches.size(); ++b) append_branch(list, b, d_model);
  // what every rank of several holds whole, with a gradient from its own channels
  const auto everywhere = [&](ParameterSpec p) { list.push_back(whole == nullptr ? p : copied(p, shard, true)); };
  // λ vectors start as the Differential Transformer's; gates start at one half for every token
  if (scale == HybridScale::diff)
    everywhere(
        {.name = "lambda", .shape = {4, head_dim(*branches[1])}, .init = {InitKind::normal, 0.1, 0}, .decay = false});
  if (scale == HybridScale::gate) everywhere({.name = "gate.weight", .shape = {2, d_model}, .init = {}});
  if (scale == HybridScale::alpha) everywhere({.name = "alpha.weight", .shape = {1, d_model}, .init = {}});
  if (output != HybridOutput::joint) return list;
  const int64_t width = (whole == nullptr ? *this : *whole).fused_width();
  ParameterSpec out{
      .name = "out.weight", .shape = {d_model, width}, .init = matrix_init(width), .writes_residual = true};
  if (whole != nullptr) {
    const Interval first = value_range(*branches[0]), second = value_range(*branches[1]);
    std::vector<Piece> columns{{first.begin, first.count}};
    if (!sums_values()) columns.push_back({whole->value_width(0) + second.begin, second.count});
    out = cut(std::move(out), 1, std::move(columns));
  }
  list.push_back(std::move(out));
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

namespace {

/// A branch as something that is cut by heads.
struct Cuttable {
  explicit Cuttable(const MixerSpec& branch) : attention(as_attention(branch)), mamba(as_mamba2(branch)) {}
  int64_t heads() const { return attention ? attention->heads : mamba->heads(); }
  int64_t groups() const { return attention ? attention->kv_heads : mamba->groups; }
  int64_t channels() const { return attention ? attention->v_head_dim() : mamba->head_dim; }  // of a head's value
  std::vector<Interval> usual(int ranks) const { return share_heads(heads(), groups(), ranks); }
  std::shared_ptr<const MixerSpec> part(const std::vector<Interval>& cuts, int rank) const {
    return attention ? std::shared_ptr<const MixerSpec>(attention->part(cuts, rank)) : mamba->part(cuts, rank);
  }
  const AttentionSpec* attention;
  const Mamba2Spec* mamba;
};

}  // namespace

static std::vector<Interval> times(std::vector<Interval> ranges, int64_t factor) {
  for (Interval& range : ranges) range = {range.begin * factor, range.count * factor};
  return ranges;
}

// The branch's part whose value row is that rank's range of channels; null where no such part is.
static std::shared_ptr<const MixerSpec> part_at(const Cuttable& branch, std::vector<Interval> channels, int rank) {
  for (Interval& range : channels) {
    if (range.begin % branch.channels() != 0 || range.count % branch.channels() != 0) return nullptr;
    range = {range.begin / branch.channels(), range.count / branch.channels()};
  }
  return branch.part(channels, rank);
}

// Where both must be cut at the same channels: as one of them would be alone, else evenly in pieces of whole heads of
// both.
std::array<std::shared_ptr<const MixerSpec>, 2> HybridSpec::branch_parts(Shard of) const {
  const Cuttable first(*branches[0]), second(*branches[1]);
  if (!sums_values() && value == HybridValue::separate)
    return {first.part(first.usual(of.size), of.rank), second.part(second.usual(of.size), of.rank)};
  const int64_t unit = std::lcm(first.channels(), second.channels());
  std::vector<Interval> even;
  for (int rank = 0; rank < of.size; ++rank) even.push_back(even_share(value_width(0) / unit, {rank, of.size}));
  const std::array<std::vector<Interval>, 3> ways{times(first.usual(of.size), first.channels()),
                                                  times(second.usual(of.size), second.channels()), times(even, unit)};
  for (const std::vector<Interval>& channels : ways) {
    auto a = part_at(first, channels, of.rank), b = part_at(second, channels, of.rank);
    if (a && b) return {std::move(a), std::move(b)};
  }
  return {};
}

std::string HybridSpec::split_problem(int ranks) const {
  for (const auto& branch : branches)
    if (std::string problem = branch->split_problem(ranks); !problem.empty()) return "a branch of " + problem;
  if (branch_parts({0, ranks})[0] != nullptr) return "";
  return fmt::format(
      "the branches' heads, {} and {} channels wide, have no common boundaries where {} ranks could meet",
      Cuttable(*branches[0]).channels(), Cuttable(*branches[1]).channels(), ranks);
}

std::shared_ptr<const MixerSpec> HybridSpec::part(Shard of) const {
  auto spec = std::make_shared<HybridSpec>(*this);
  spec->whole = std::make_shared<HybridSpec>(*this);
  spec->shard = of;
  spec->branches = branch_parts(of);
  return spec;
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
    const auto full = branches[b]->at_scale(size);
    const bool takes_share = alike ? b == 0 : full->kind() == "attention";
    const double share = takes_share ? size.attention_share : 1 - size.attention_share;
    if (const AttentionSpec* attention = as_attention(*full)) {
      auto half = std::make_shared<AttentionSpec>(*attention);
      half->heads = std::max<int64_t>(1, attention->heads / 2);
      half->kv_heads = largest_divisor_up_to(half->heads, half->heads / size.heads_per_kv_head);
      half->head_dim = head_at_share(attention->head_dim, share);
      spec->branches[b] = half;
    } else if (const Mamba2Spec* mamba = as_mamba2(*full)) {
      auto half = std::make_shared<Mamba2Spec>(*mamba);
      half->head_dim = head_at_share(mamba->head_dim, equal ? 0.5 : share);
      half->d_ssm = mamba->heads() / 2 * half->head_dim;
      spec->branches[b] = half;
    }
  }
  return spec;
}

}  // namespace hyscale::spec
