#include "core/spec/accounting.h"

#include <cmath>
#include <fmt/format.h>

#include "core/spec/split.h"

namespace hyscale::spec {

Init matrix_init(int64_t fan_in) { return {InitKind::normal, 1 / std::sqrt(static_cast<double>(fan_in)), 0}; }

static ParameterSpec norm_of(std::string name, int64_t width) {
  return {.name = std::move(name), .shape = {width}, .init = {InitKind::constant, 1, 0}, .decay = false};
}

static std::vector<ParameterSpec> ffn_parameters(const SwigluConfig& ffn, int64_t d_model) {
  return {
      {.name = "gate_up.weight", .shape = {2 * ffn.d_ff, d_model}, .init = matrix_init(d_model)},
      {.name = "down.weight", .shape = {d_model, ffn.d_ff}, .init = matrix_init(ffn.d_ff), .writes_residual = true}};
}

// What `shard` holds of a layer's feed-forward parameters: some of the d_ff channels.
static std::vector<ParameterSpec> ffn_part(const SwigluConfig& ffn, int64_t d_model, Shard shard) {
  const std::vector<ParameterSpec> all = ffn_parameters(ffn, d_model);
  const Interval own = even_share(ffn.d_ff, shard);
  return {cut(all[0], 0, {{own.begin, own.count}, {ffn.d_ff + own.begin, own.count}}),
          cut(all[1], 1, {{own.begin, own.count}})};
}

static void append(std::vector<ParameterSpec>& list, std::vector<ParameterSpec> more, const std::string& prefix) {
  for (ParameterSpec& parameter : more) {
    parameter.name = prefix + parameter.name;
    list.push_back(std::move(parameter));
  }
}

static int residual_writes(const ModelConfig& model) {
  int writes = 0;
  for (const BlockConfig& block : model.stack) writes += block.ffn ? 2 : 1;
  return writes;
}

std::vector<ParameterSpec> parameter_list(const ModelConfig& model) { return parameter_list(model, {}); }

std::vector<ParameterSpec> parameter_list(const ModelConfig& model, Shard shard) {
  const int64_t d = model.d_model;
  const bool parts = shard.size > 1;
  const auto norm = [&](const std::string& name) {
    return parts ? copied(norm_of(name, d), shard, false) : norm_of(name, d);
  };
  std::vector<ParameterSpec> list{
      {.name = "embedding.weight", .shape = {model.vocabulary, d}, .init = {InitKind::normal, kEmbeddingDeviation, 0}}};
  if (parts) {
    const Interval own = even_share(model.vocabulary, shard);
    list[0] = cut(std::move(list[0]), 0, {{own.begin, own.count}});
  }
  for (size_t n = 0; n < model.stack.size(); ++n) {
    const BlockConfig& block = model.stack[n];
    const std::string layer = fmt::format("layers.{}.", n);
    list.push_back(norm(layer + "mixer_norm.weight"));
    append(list, mixer_part(block, shard)->parameters(d), layer + "mixer.");
    if (!block.ffn) continue;
    list.push_back(norm(layer + "ffn_norm.weight"));
    append(list, parts ? ffn_part(*block.ffn, d, shard) : ffn_parameters(*block.ffn, d), layer + "ffn.");
  }
  list.push_back(norm("final_norm.weight"));
  const double shrink = 1 / std::sqrt(residual_writes(model));
  for (ParameterSpec& parameter : list)
    if (parameter.writes_residual) parameter.init.a *= shrink;
  return list;
}

static int64_t count(const std::vector<ParameterSpec>& list) {
  int64_t total = 0;
  for (const ParameterSpec& parameter : list) total += parameter.count();
  return total;
}

// Adds a mixer's cache; returns its bytes.
static double add_cache(CacheBytes& sum, const CacheSize& cache, Precision precision) {
  const CacheBytes own{.paper_bf16 = cache.paper_bytes_bf16,
                       .kv_elements = cache.kv_elements,
                       .conv_elements = cache.conv_elements,
                       .state_elements = cache.state_elements};
  const double bytes = precision == Precision::fp32 ? own.fp32() : own.bf16();
  sum.paper_bf16 += own.paper_bf16;
  sum.actual += bytes;
  sum.kv_elements += own.kv_elements;
  sum.conv_elements += own.conv_elements;
  sum.state_elements += own.state_elements;
  return bytes;
}

Account account(const ModelConfig& model) { return account(model, model.context); }

Account account(const ModelConfig& model, int64_t context, Precision precision) {
  const int64_t d = model.d_model, embedding = model.vocabulary * d;
  Account result;
  int64_t non_embedding = d, paper_parameters = 0;  // d: the final norm
  double paper_terms = 0, executed_terms = 0;
  for (const BlockConfig& block : model.stack) {
    const MixerFlops flops = block.mixer->flops_per_token(d, context);
    const double cache = add_cache(result.cache_bytes_per_sequence, block.mixer->cache(context), precision);
    LayerAccount layer{.name = block.name,
                       .mixer = std::string(block.mixer->kind()),
                       .mixer_parameters = count(block.mixer->parameters(d)),
                       .ffn_parameters = block.ffn ? count(ffn_parameters(*block.ffn, d)) : 0,
                       .mixer_flops = flops.paper,
                       .cache_bytes = cache};
    non_embedding += d + layer.mixer_parameters + (block.ffn ? d + layer.ffn_parameters : 0);
    paper_parameters += block.mixer->paper_parameters(d) + layer.ffn_parameters;
    paper_terms += flops.paper;
    executed_terms += flops.executed;
    result.layers.push_back(std::move(layer));
  }
  result.params = {.total = non_embedding + embedding,
                   .non_embedding = non_embedding,
                   .without_head = non_embedding + embedding,  // the head is tied
                   .active = non_embedding + embedding};
  const double six_head = 6.0 * static_cast<double>(embedding);
  const double paper = 6.0 * static_cast<double>(paper_parameters) + paper_terms;
  result.train_flops_per_token = {.paper = paper,
                                  .with_head = paper + six_head,
                                  .executed = 6.0 * static_cast<double>(paper_parameters) + six_head + executed_terms,
                                  .six_n = 6.0 * static_cast<double>(non_embedding)};
  return result;
}

}  // namespace hyscale::spec
