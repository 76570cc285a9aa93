#include "core/mixers/attention/attention_spec.h"

#include <algorithm>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/yaml_reader.h"
#include "core/spec/checks.h"

namespace hyscale::spec {

std::vector<ParameterSpec> AttentionSpec::parameters(int64_t d_model) const {
  if (whole != nullptr) return cut_parameters(d_model);
  return {
      {.name = "qkv.weight", .shape = {in_width(), d_model}, .init = matrix_init(d_model)},
      {.name = "out.weight", .shape = {d_model, value_dim}, .init = matrix_init(value_dim), .writes_residual = true},
  };
}

std::vector<ParameterSpec> AttentionSpec::cut_parameters(int64_t d_model) const {
  const std::vector<ParameterSpec> all = whole->parameters(d_model);
  const int64_t q_end = whole->q_width(), k_end = q_end + whole->k_width();
  std::vector<Piece> rows{{share.heads.begin * head_dim, q_width()},
                          {q_end + share.groups.begin * head_dim, k_width(), share.counts}};
  if (own_value) rows.push_back({k_end + share.groups.begin * v_head_dim(), v_width(), share.counts});
  std::vector<Interval> summed;
  if (share.copied) summed.push_back({q_end, whole->in_width() - q_end});
  return {cut(all[0], 0, std::move(rows), std::move(summed)),
          cut(all[1], 1, {{value_range().begin, value_range().count}})};
}

std::string AttentionSpec::split_problem(int ranks) const {
  return heads >= ranks ? "" : fmt::format("attention has {} heads", heads);
}

std::shared_ptr<const MixerSpec> AttentionSpec::part(Shard shard) const {
  return part(share_heads(heads, kv_heads, shard.size), shard.rank);
}

std::shared_ptr<const AttentionSpec> AttentionSpec::part(const std::vector<Interval>& cuts, int rank) const {
  const auto own = head_share(heads, kv_heads, cuts, rank);
  if (!own) return nullptr;
  auto spec = std::make_shared<AttentionSpec>(*this);
  spec->whole = std::make_shared<AttentionSpec>(*this);
  spec->share = *own;
  spec->heads = own->heads.count;
  spec->kv_heads = own->groups.count;
  spec->value_dim = own->heads.count * v_head_dim();
  return spec;
}

int64_t AttentionSpec::paper_parameters(int64_t d_model) const { return d_model * (in_width() + value_dim); }

// Keys that a query sees, averaged over the positions of a sequence: min(position, window + sinks), 1-based.
static double mean_visible_keys(int64_t window, int64_t sinks, int64_t context) {
  const double length = static_cast<double>(context);
  const double seen = static_cast<double>(window > 0 ? std::min(window + sinks, context) : context);
  return seen * ((seen + 1) / 2 + (length - seen)) / length;
}

// Multiply-adds of one (query, key) pair count 2 FLOPs per channel. Forward: scores q, output v. Backward: scores
// again, dQ, dK (q each), dP, dV (v each). The paper counts each of scores and output three times and no recomputation.
MixerFlops AttentionSpec::flops_per_token(int64_t, int64_t context) const {
  const double pairs = mean_visible_keys(window, sinks, context);
  const double q = static_cast<double>(q_width()), v = static_cast<double>(value_dim);
  return {.paper = 6 * (q + v) * pairs, .executed = (8 * q + 6 * v) * pairs};
}

CacheSize AttentionSpec::cache(int64_t context) const {
  const int64_t kept = window > 0 ? std::min(window + sinks, context) : context;
  const int64_t elements = (in_width() - q_width()) * kept;
  return {.kv_elements = elements, .paper_bytes_bf16 = 2.0 * static_cast<double>(elements)};
}

// Kept: q | k | v, the value row, a log-sum-exp for each query. Backward: the value row's gradient, those of q | k | v.
ActivationSize AttentionSpec::activations(int64_t sequences, int64_t length) const {
  const int64_t tokens = sequences * length;
  const int64_t rows = tokens * (stored_row(in_width()) + stored_row(value_dim));
  return {.kept = rows, .statistics = tokens * heads, .scratch = rows};
}

nlohmann::json AttentionSpec::canonical() const {
  nlohmann::json json{{"kind", "attention"}, {"heads", heads}, {"head_dim", head_dim}};
  if (kv_heads != heads) json["kv_heads"] = kv_heads;
  if (value_dim != q_width()) json["value_dim"] = value_dim;
  if (rope) json["rope"] = rope->canonical();
  if (window > 0) json["window"] = window;
  if (sinks > 0) json["sinks"] = sinks;
  return json;
}

std::string AttentionSpec::to_yaml() const {
  std::string text = fmt::format("{{kind: attention, heads: {}, kv_heads: {}, head_dim: {}", heads, kv_heads, head_dim);
  if (value_dim != q_width()) text += fmt::format(", value_dim: {}", value_dim);
  text += ", rope: " + (rope ? rope->to_yaml() : "none");
  if (window > 0) text += fmt::format(", window: {}, sinks: {}", window, sinks);
  return text + "}";
}

std::shared_ptr<const MixerSpec> AttentionSpec::at_scale(const MixerScale& scale) const {
  auto spec = std::make_shared<AttentionSpec>(*this);
  spec->head_dim = scale.attention_head_dim;
  spec->heads = scale.d_model / scale.attention_head_dim;
  spec->kv_heads = std::max<int64_t>(1, spec->heads / scale.heads_per_kv_head);
  spec->value_dim = spec->q_width();
  return spec;
}

static void check(const YamlMap& map, const AttentionSpec& spec) {
  check_multiple(map, "heads", spec.heads, "kv_heads", spec.kv_heads,
                 "every key/value head serves the same number of query heads");
  check_multiple(map, "value_dim", spec.value_dim, "heads", spec.heads, "every head has the same value width");
  if (spec.sinks > 0 && spec.window == 0)
    map.problem_at("sinks", fmt::format("{}.sinks is given without a window", map.path()),
                   "add window: …, or leave sinks out", "full attention sees the first tokens anyway");
}

std::shared_ptr<const MixerSpec> parse_attention(YamlMap& map, int64_t d_model) {
  const size_t before = map.problems().list().size();
  auto spec = std::make_shared<AttentionSpec>();
  spec->heads = map.required<int64_t>("heads", {.min = 1, .max = 1e5});
  spec->kv_heads = map.optional<int64_t>("kv_heads", spec->heads, {.min = 1, .max = 1e5});
  const bool divides = spec->heads > 0 && d_model > 0 && d_model % spec->heads == 0;
  if (divides)
    spec->head_dim = map.optional<int64_t>("head_dim", d_model / spec->heads, {.min = 1, .max = 1e5});
  else
    spec->head_dim = map.required<int64_t>("head_dim", {.min = 1, .max = 1e5});
  spec->value_dim = map.optional<int64_t>("value_dim", spec->q_width(), {.min = 1, .max = 1e7});
  spec->rope = parse_rope(map, spec->head_dim);
  spec->window = map.optional<int64_t>("window", 0, {.min = 1, .max = 1e9});
  spec->sinks = map.optional<int64_t>("sinks", 0, {.min = 0, .max = 1e9});
  check(map, *spec);
  return map.problems().list().size() > before ? nullptr : spec;
}

}  // namespace hyscale::spec
