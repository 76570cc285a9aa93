#include "core/mixers/mamba2/mamba2_spec.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/yaml_reader.h"
#include "core/spec/checks.h"

namespace hyscale::spec {

static const Mamba2Spec kDefaults{};
static constexpr double kMostTaps = 8;  // of the convolution kernel

std::vector<ParameterSpec> Mamba2Spec::parameters(int64_t d_model) const {
  if (whole != nullptr) return cut_parameters(d_model);
  const Init one{InitKind::constant, 1, 0};
  const double bound = 1 / std::sqrt(static_cast<double>(conv));
  const Init dt{InitKind::inverse_softplus_log_uniform, dt_init[0], dt_init[1]};
  const Init a{InitKind::log_of_uniform, a_init[0], a_init[1]};
  std::vector<ParameterSpec> list{
      {.name = "in.weight", .shape = {in_rows(), d_model}, .init = matrix_init(d_model)},
      {.name = "conv.weight", .shape = {conv_width(), conv}, .init = {InitKind::uniform, -bound, bound}},
      {.name = "conv.bias", .shape = {conv_width()}, .init = {InitKind::uniform, -bound, bound}, .decay = false},
      {.name = "dt_bias", .shape = {heads()}, .init = dt, .decay = false},
      {.name = "a_log", .shape = {heads()}, .init = a, .decay = false},
      {.name = "d", .shape = {heads()}, .init = one, .decay = false},
  };
  if (gated_norm) list.push_back({.name = "norm.weight", .shape = {d_ssm}, .init = one, .decay = false});
  list.push_back(
      {.name = "out.weight", .shape = {d_model, d_ssm}, .init = matrix_init(d_ssm), .writes_residual = true});
  return list;
}

std::vector<ParameterSpec> Mamba2Spec::cut_parameters(int64_t d_model) const {
  const Interval value = value_range();
  const Piece channels{value.begin, value.count}, own_heads{share.heads.begin, share.heads.count};
  const int64_t own_groups = share.groups.begin * d_state, width = groups * d_state, all = whole->groups * d_state;
  // of rows in which B | C begin at `begin`
  const auto b_and_c = [&](int64_t begin) {
    return std::array<Piece, 2>{Piece{begin + own_groups, width, share.counts},
                                Piece{begin + all + own_groups, width, share.counts}};
  };
  const auto copies = [&](int64_t begin) {
    return share.copied ? std::vector<Interval>{{begin, 2 * all}} : std::vector<Interval>{};
  };
  const int64_t x_end = own_value ? 2 * whole->d_ssm : whole->d_ssm;  // of the rows z | x
  const auto [b, c] = b_and_c(x_end);
  std::vector<Piece> in_pieces{channels};
  if (own_value) in_pieces.push_back({whole->d_ssm + value.begin, value.count});
  in_pieces.insert(in_pieces.end(), {b, c, Piece{x_end + 2 * all + share.heads.begin, share.heads.count}});
  const auto [conv_b, conv_c] = b_and_c(whole->d_ssm);
  std::vector<ParameterSpec> list;
  for (ParameterSpec& p : whole->parameters(d_model)) {
    if (p.name == "in.weight")
      list.push_back(cut(std::move(p), 0, in_pieces, copies(x_end)));
    else if (p.name.starts_with("conv."))
      list.push_back(cut(std::move(p), 0, {channels, conv_b, conv_c}, copies(whole->d_ssm)));
    else if (p.name == "norm.weight")
      list.push_back(cut(std::move(p), 0, {channels}));
    else if (p.name == "out.weight")
      list.push_back(cut(std::move(p), 1, {channels}));
    else
      list.push_back(cut(std::move(p), 0, {own_heads}));
  }
  return list;
}

std::string Mamba2Spec::split_problem(int ranks) const {
  return heads() >= ranks ? "" : fmt::format("mamba2 has {} heads (d_ssm / head_dim)", heads());
}

std::shared_ptr<const MixerSpec> Mamba2Spec::part(Shard shard) const {
  return part(share_heads(heads(), groups, shard.size), shard.rank);
}

std::shared_ptr<const Mamba2Spec> Mamba2Spec::part(const std::vector<Interval>& cuts, int rank) const {
  const auto own = head_share(heads(), groups, cuts, rank);
  if (!own) return nullptr;
  auto spec = std::make_shared<Mamba2Spec>(*this);
  spec->whole = std::make_shared<Mamba2Spec>(*this);
  spec->share = *own;
  spec->d_ssm = own->heads.count * head_dim;
  spec->groups = own->groups.count;
  const int64_t norm_width = d_ssm / norm_groups;
  spec->norm_groups = 1;
  if (!gated_norm) return spec;
  for (const Interval& one : cuts)
    if (one.begin * head_dim % norm_width != 0 || one.count * head_dim % norm_width != 0) spec->split_norm = true;
  spec->norm_groups = spec->split_norm ? norm_groups : spec->d_ssm / norm_width;
  return spec;
}

// d (2s + 2n + m) + s (c + d) + 2m: the convolution over B and C is not counted there.
int64_t Mamba2Spec::paper_parameters(int64_t d_model) const {
  return d_model * in_rows() + d_ssm * (conv + d_model) + 2 * heads();
}

// Multiply-adds count 2 FLOPs. s = d_ssm, n = d_state, g = groups; a pair is a token and an earlier one of its chunk or
// itself.
// Forward: per pair C Bᵀ 2ng and its product with x 2s; into a state 2ns for every token before the last chunk, out of
// one 2ns for every token behind the first chunk.
// Backward: per pair C Bᵀ again and its two gradients 6ng, dy xᵀ and the gradient of x 4s; through the states 4ns (x,
// B) for every token before the last chunk, 4ns (C, the walk back over states) for every token behind the first. The
// convolution costs 8 per tap and channel (pre-activations are computed again), of which 6 × paper_parameters holds 6
// of x's.
MixerFlops Mamba2Spec::flops_per_token(int64_t, int64_t context) const {
  const auto s = static_cast<double>(d_ssm), n = static_cast<double>(d_state), g = static_cast<double>(groups);
  const int64_t before = (context - 1) / chunk, rest = context - before * chunk;  // chunks before the last; its tokens
  const auto pairs_of = [](int64_t tokens) {
    return static_cast<double>(tokens) * static_cast<double>(tokens + 1) / 2;
  };
  const auto length = static_cast<double>(context);
  const double pairs = (static_cast<double>(before) * pairs_of(chunk) + pairs_of(rest)) / length;
  const double carried = static_cast<double>(before * chunk + std::max<int64_t>(0, context - chunk)) / length;
  const double convolution = static_cast<double>(conv) * (2 * s + 8 * 2 * g * n);
  return {.paper = 3 * (9 * s * n + 2 * s),
          .executed = pairs * (8 * n * g + 6 * s) + 6 * n * s * carried + convolution};
}

CacheSize Mamba2Spec::cache(int64_t) const {
  const int64_t state = d_ssm * d_state;
  return {.conv_elements = (conv - 1) * conv_width(),
          .state_elements = state,
          .paper_bytes_bf16 = 2.0 * static_cast<double>(state + conv * conv_width())};
}

// Kept: z | x | B | C | dt, the convolution's x | B | C, y, the value row; a scale for each token and norm group, dt, a
// state for each chunk (its rows whole vectors of 8). Backward: gradients of all these rows, then the scan's gradients
// of the states; the norms' and the convolution's partial sums are smaller and come at other times.
ActivationSize Mamba2Spec::activations(int64_t sequences, int64_t length) const {
  const int64_t tokens = sequences * length, taps = std::min(chunk, length), chunks = (length + taps - 1) / taps;
  const int64_t rows = tokens * (stored_row(in_width()) + stored_row(conv_width()) + 2 * stored_row(d_ssm));
  const int64_t states = sequences * heads() * chunks * d_state * ((head_dim + 7) / 8 * 8);
  const int64_t gpu_chunks = (length + kGpuScanChunk - 1) / kGpuScanChunk;
  const int64_t again = split_norm ? tokens * stored_row(d_ssm) : 0;  // the gated rows
  const int64_t statistics = tokens * ((gated_norm ? norm_groups : 0) + heads());
  return {.kept = rows,
          .statistics = statistics,
          .scan_states = states,
          .gpu_scan_states = sequences * heads() * gpu_chunks * d_state * head_dim,
          .scratch = rows + states + again + 3 * sequences * chunks * heads()};
}

nlohmann::json Mamba2Spec::canonical() const {
  nlohmann::json json{{"kind", "mamba2"}, {"d_ssm", d_ssm}, {"d_state", d_state}};
  if (head_dim != kDefaults.head_dim) json["head_dim"] = head_dim;
  if (groups != kDefaults.groups) json["groups"] = groups;
  if (conv != kDefaults.conv) json["conv"] = conv;
  if (chunk != kDefaults.chunk) json["chunk"] = chunk;
  if (norm_groups != kDefaults.norm_groups) json["norm_groups"] = norm_groups;
  if (a_init != kDefaults.a_init) json["a_init"] = a_init;
  if (dt_init != kDefaults.dt_init) json["dt_init"] = dt_init;
  return json;
}

std::string Mamba2Spec::to_yaml() const {
  return fmt::format(
      "{{kind: mamba2, d_ssm: {}, head_dim: {}, d_state: {}, groups: {}, conv: {}, chunk: {}, norm_groups: {}, "
      "a_init: [{}, {}], dt_init: [{}, {}]}}",
      d_ssm, head_dim, d_state, groups, conv, chunk, norm_groups, a_init[0], a_init[1], dt_init[0], dt_init[1]);
}

std::shared_ptr<const MixerSpec> Mamba2Spec::at_scale(const MixerScale& scale) const {
  auto spec = std::make_shared<Mamba2Spec>(*this);
  spec->d_ssm = 2 * scale.d_model;
  spec->head_dim = scale.ssm_head_dim;
  spec->d_state = scale.d_state;
  return spec;
}

static std::array<double, 2> parse_range(YamlMap& map, const std::string& key, std::array<double, 2> otherwise) {
  const YamlValue value = map.value(key);
  if (!value.exists()) return otherwise;
  const std::vector<YamlValue> items = value.as_sequence();
  if (items.size() != 2) {
    if (value.is_sequence())
      value.problem(fmt::format("{} has {} numbers", value.path(), items.size()), "write [lowest, highest]");
    return otherwise;
  }
  const std::array<double, 2> range{items[0].as<double>({.min = 1e-12, .max = 1e6}).value_or(otherwise[0]),
                                    items[1].as<double>({.min = 1e-12, .max = 1e6}).value_or(otherwise[1])};
  if (range[0] > range[1])
    value.problem(fmt::format("{} starts above its end", value.path()),
                  fmt::format("write [{}, {}]", range[1], range[0]));
  return range;
}

std::shared_ptr<const MixerSpec> parse_mamba2(YamlMap& map, int64_t) {
  const size_t before = map.problems().list().size();
  auto spec = std::make_shared<Mamba2Spec>();
  spec->d_ssm = map.required<int64_t>("d_ssm", {.min = 1, .max = 1e7});
  spec->head_dim = map.optional<int64_t>("head_dim", spec->head_dim, {.min = 1, .max = 1e5});
  spec->d_state = map.required<int64_t>("d_state", {.min = 1, .max = 1e5});
  spec->groups = map.optional<int64_t>("groups", spec->groups, {.min = 1, .max = 1e5});
  spec->conv = map.optional<int64_t>("conv", spec->conv, {.min = 1, .max = kMostTaps});
  spec->chunk = map.optional<int64_t>("chunk", spec->chunk, {.min = 1, .max = 1e5});
  spec->norm_groups = map.optional<int64_t>("norm_groups", spec->norm_groups, {.min = 1, .max = 1e5});
  spec->a_init = parse_range(map, "a_init", spec->a_init);
  spec->dt_init = parse_range(map, "dt_init", spec->dt_init);
  check_multiple(map, "d_ssm", spec->d_ssm, "head_dim", spec->head_dim, "heads split d_ssm evenly");
  check_multiple(map, "d_ssm", spec->d_ssm, "norm_groups", spec->norm_groups, "norm groups split d_ssm evenly");
  if (map.problems().list().size() > before) return nullptr;
  if (spec->heads() % spec->groups != 0)
    map.problem_at("groups",
                   fmt::format("{}.groups = {} does not divide the {} heads (d_ssm / head_dim)", map.path(),
                               spec->groups, spec->heads()),
                   "use a divisor of the head count, e.g. 1", "every group serves the same number of heads");
  return map.problems().list().size() > before ? nullptr : spec;
}

}  // namespace hyscale::spec
