#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/spec/run_config.h"

namespace hyscale::spec {

struct NamedBlock {
  std::string name, yaml;
};

// One name per distinct block: the name it had, or the next free one when two different blocks share it.
static std::string name_of(const BlockConfig& block, std::vector<NamedBlock>& named) {
  const std::string yaml = block.mixer->to_yaml();
  for (const NamedBlock& other : named)
    if (other.yaml == yaml) return other.name;
  const auto taken = [&](const std::string& name) {
    for (const NamedBlock& other : named)
      if (other.name == name) return true;
    return false;
  };
  std::string name = block.name.empty() ? "X" : block.name;
  for (int k = 2; taken(name); ++k) name = fmt::format("{}-{}", block.name.empty() ? "X" : block.name, k);
  named.push_back({name, yaml});
  return name;
}

static std::string ffn_yaml(const std::optional<SwigluConfig>& ffn) {
  return ffn ? fmt::format("{{kind: swiglu, d_ff: {}}}", ffn->d_ff) : "{kind: none}";
}

static std::string model_yaml(const ModelConfig& model) {
  std::vector<NamedBlock> named;
  std::string pattern, list;
  bool one_letter = true;
  for (const BlockConfig& block : model.stack) {
    const std::string name = name_of(block, named), ffn = ffn_yaml(block.ffn);
    one_letter = one_letter && name.size() == 1 && ffn == ffn_yaml(model.stack[0].ffn);
    pattern += name;
    list += fmt::format("    - {{mixer: {}, ffn: {}}}\n", name, ffn);
  }
  std::string mixers;
  for (const NamedBlock& block : named) mixers += fmt::format("    \"{}\": {}\n", block.name, block.yaml);
  std::string text = fmt::format("model:\n  vocabulary: {}\n  context: {}\n  d_model: {}\n  norm_epsilon: {}\n",
                                 model.vocabulary, model.context, model.d_model, model.norm_epsilon);
  text += "  mixers:\n" + mixers;
  if (one_letter)
    text += fmt::format("  stack: \"{}\"\n  ffn: {}\n", pattern, ffn_yaml(model.stack[0].ffn));
  else
    text += "  stack:\n" + list;
  return text;
}

static std::string train_yaml(const TrainConfig& train) {
  static constexpr const char* kKinds[] = {"trapezoid", "cosine", "constant"};
  static constexpr const char* kPrecisions[] = {"fp32", "bf16", "fp8"};
  const OptimizerConfig& o = train.optimizer;
  const ScheduleConfig& s = train.schedule;
  return fmt::format(
      "train:\n  tokens: {}\n  batch_tokens: {}\n"
      "  optimizer: {{kind: adamw, lr: {}, betas: [{}, {}], epsilon: {}, weight_decay: {}, clip: {}}}\n"
      "  schedule: {{kind: {}, warmup_tokens: {}, cooldown_tokens: {}}}\n  precision: {}\n  seed: {}\n",
      train.tokens, train.batch_tokens, o.lr, o.betas[0], o.betas[1], o.epsilon, o.weight_decay, o.clip,
      kKinds[static_cast<size_t>(s.kind)], s.warmup_tokens, s.cooldown_tokens,
      kPrecisions[static_cast<size_t>(train.precision)], train.seed);
}

// A JSON string is a quoted YAML scalar.
static std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

static std::string corpora_yaml(const DataConfig& data) {
  if (data.mixture.empty()) return "corpus: " + quoted(data.corpus);
  std::string list;
  for (const CorpusShare& share : data.mixture)
    list += fmt::format("{}{{corpus: {}, weight: {}}}", list.empty() ? "" : ", ", quoted(share.corpus), share.weight);
  return "mixture: [" + list + "]";
}

std::string to_yaml(const RunConfig& config) {
  return "format: hyscale.run/1\n" + model_yaml(config.model) +
         fmt::format("data: {{{}, seed: {}, cross_document: {}}}\n", corpora_yaml(config.data), config.data.seed,
                     config.data.cross_document) +
         train_yaml(config.train);
}

}  // namespace hyscale::spec
