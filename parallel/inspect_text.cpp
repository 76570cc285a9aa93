#include "parallel/inspect_text.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace hyscale::parallel {

namespace {

using nlohmann::ordered_json;

ordered_json whole_run_flops(const spec::FlopsPerToken& flops, double tokens) {
  return {{"paper", flops.paper * tokens},
          {"with_head", flops.with_head * tokens},
          {"executed", flops.executed * tokens},
          {"six_n", flops.six_n * tokens}};
}

ordered_json cache_json(const spec::CacheBytes& bytes) {
  const auto part = [](int64_t elements, bool single) {
    return ordered_json{{"elements", elements}, {"fp32", 4 * elements}, {"bf16", (single ? 4 : 2) * elements}};
  };
  return {{"paper_bf16", bytes.paper_bf16},
          {"actual", bytes.actual},
          {"fp32", bytes.fp32()},
          {"bf16", bytes.bf16()},
          {"parts",
           {{"keys_and_values", part(bytes.kv_elements, false)},
            {"convolution_tail", part(bytes.conv_elements, false)},
            {"ssm_state", part(bytes.state_elements, true)}}}};
}

ordered_json memory_json(const Inspection& i) {
  const spec::MemoryBytes& m = i.memory;
  return {{"dp", i.execution.dp},
          {"tp", i.execution.tp},
          {"micro_batch", i.execution.micro_batch},
          {"recompute", spec::kRecomputes[static_cast<size_t>(i.execution.recompute)]},
          {"weights", m.weights},
          {"gradients", m.gradients},
          {"optimizer", m.optimizer},
          {"activations", m.activations},
          {"scratch", m.scratch},
          {"total", m.total()}};
}

ordered_json to_json(const Inspection& i) {
  const spec::Account& a = i.account;
  const spec::TrainConfig& train = i.config.train;
  ordered_json layers = ordered_json::array();
  for (size_t n = 0; n < a.layers.size(); ++n)
    layers.push_back({{"layer", n},
                      {"name", a.layers[n].name},
                      {"mixer", a.layers[n].mixer},
                      {"mixer_parameters", a.layers[n].mixer_parameters},
                      {"ffn_parameters", a.layers[n].ffn_parameters},
                      {"mixer_flops_per_token", a.layers[n].mixer_flops},
                      {"cache_bytes", a.layers[n].cache_bytes}});
  ordered_json json{{"context", i.config.model.context},
                    {"d_model", i.config.model.d_model},
                    {"vocabulary", i.config.model.vocabulary},
                    {"params",
                     {{"total", a.params.total},
                      {"non_embedding", a.params.non_embedding},
                      {"without_head", a.params.without_head},
                      {"active", a.params.active}}},
                    {"train_flops_per_token", whole_run_flops(a.train_flops_per_token, 1)},
                    {"cache_bytes_per_sequence", cache_json(a.cache_bytes_per_sequence)},
                    {"memory_bytes_per_rank", memory_json(i)},
                    {"tokens", train.tokens},
                    {"batch_tokens", train.batch_tokens},
                    {"steps", train.steps()},
                    {"run_flops", whole_run_flops(a.train_flops_per_token, static_cast<double>(train.tokens))},
                    {"layers", std::move(layers)}};
  json["run_id"] = i.run_id.empty() ? ordered_json() : ordered_json(i.run_id);
  return json;
}

std::string layers_text(const spec::Account& account) {
  std::string text = fmt::format("{:>5}  {:<8} {:<10} {:>16} {:>16} {:>18}\n", "layer", "name", "mixer",
                                 "mixer parameters", "FFN parameters", "mixer FLOPs/token");
  for (size_t n = 0; n < account.layers.size(); ++n) {
    const spec::LayerAccount& layer = account.layers[n];
    text += fmt::format("{:>5}  {:<8} {:<10} {:>16} {:>16} {:>18.4g}\n", n, layer.name, layer.mixer,
                        layer.mixer_parameters, layer.ffn_parameters, layer.mixer_flops);
  }
  return text;
}

std::string memory_text(const Inspection& i) {
  const spec::MemoryBytes& m = i.memory;
  const auto mib = [](double bytes) { return bytes / (1 << 20); };
  return fmt::format(
      "memory per rank       {:.1f} MiB: weights {:.1f}  gradients {:.1f}  optimizer {:.1f}  activations {:.1f}  "
      "scratch {:.1f}  (dp {}, tp {}, micro-batch {}, {} recomputed)\n",
      mib(m.total()), mib(m.weights), mib(m.gradients), mib(m.optimizer), mib(m.activations), mib(m.scratch),
      i.execution.dp, i.execution.tp, i.execution.micro_batch,
      i.execution.recompute == spec::Recompute::none ? "nothing" : "swiglu");
}

std::string cache_text(const Inspection& i) {
  const spec::CacheBytes& cache = i.account.cache_bytes_per_sequence;
  return fmt::format(
      "cache per sequence    paper_bf16 {:.0f} B  actual {:.0f} B  (context {}; elements: keys and values {}, "
      "convolution tail {}, SSM state {})\n",
      cache.paper_bf16, cache.actual, i.config.model.context, cache.kv_elements, cache.conv_elements,
      cache.state_elements);
}

std::string to_text(const Inspection& i) {
  const spec::ParameterCounts& p = i.account.params;
  const spec::FlopsPerToken& f = i.account.train_flops_per_token;
  const spec::TrainConfig& train = i.config.train;
  const auto tokens = static_cast<double>(train.tokens);
  std::string text = layers_text(i.account);
  text += fmt::format("\nparameters            total {}  non_embedding {}  without_head {}  active {}\n", p.total,
                      p.non_embedding, p.without_head, p.active);
  text += fmt::format("train FLOPs per token paper {:.5g}  with_head {:.5g}  executed {:.5g}  six_n {:.5g}\n", f.paper,
                      f.with_head, f.executed, f.six_n);
  text += fmt::format(
      "whole run             {} tokens in {} steps: paper {:.4g}  with_head {:.4g}  executed {:.4g}  "
      "six_n {:.4g}\n",
      train.tokens, train.steps(), f.paper * tokens, f.with_head * tokens, f.executed * tokens, f.six_n * tokens);
  text += cache_text(i) + memory_text(i);
  text += fmt::format("run id                {}\n", i.run_id.empty() ? "unknown" : i.run_id);
  return text + (i.id_problem.empty() ? "" : fmt::format("                      ({})\n", i.id_problem));
}

}  // namespace

std::string inspection_text(const Inspection& inspection) { return to_text(inspection); }

std::string inspection_json(const Inspection& inspection) { return to_json(inspection).dump(2) + "\n"; }

}  // namespace hyscale::parallel
