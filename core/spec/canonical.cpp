#include <fmt/format.h>
#include <map>

#include <nlohmann/json.hpp>

#include "core/base/hash.h"
#include "core/spec/run_config.h"

namespace hyscale::spec {

using nlohmann::json;  // objects keep their keys sorted, numbers have one spelling per type

static const ModelConfig kModel{};
static const DataConfig kData{};
static const TrainConfig kTrain{};

static const char* word(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::trapezoid:
      return "trapezoid";
    case ScheduleKind::cosine:
      return "cosine";
    case ScheduleKind::constant:
      return "constant";
  }
  return "";
}

static const char* word(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return "fp32";
    case Precision::bf16:
      return "bf16";
    case Precision::fp8:
      return "fp8";
  }
  return "";
}

static std::string canonical_layer(const BlockConfig& block) {
  json layer{{"mixer", block.mixer->canonical()}};
  if (block.ffn) layer["ffn"] = {{"kind", "swiglu"}, {"d_ff", block.ffn->d_ff}};
  return layer.dump();
}

// Stacks repeat few blocks many times and planners ask for many ids: each distinct block is written once.
static std::string canonical_stack(const std::vector<BlockConfig>& stack) {
  std::map<std::pair<const MixerSpec*, int64_t>, std::string> written;
  std::string text;
  for (const BlockConfig& block : stack) {
    std::string& layer = written[{block.mixer.get(), block.ffn ? block.ffn->d_ff : 0}];
    if (layer.empty()) layer = canonical_layer(block);
    text += (text.empty() ? "[" : ",") + layer;
  }
  return text + "]";
}

// Keys in sorted order, like those of every json object here.
static std::string canonical_model(const ModelConfig& model) {
  std::string text = fmt::format("{{\"context\":{},\"d_model\":{}", model.context, model.d_model);
  if (model.norm_epsilon != kModel.norm_epsilon) text += ",\"norm_epsilon\":" + json(model.norm_epsilon).dump();
  return text + fmt::format(",\"stack\":{},\"vocabulary\":{}}}", canonical_stack(model.stack), model.vocabulary);
}

static json canonical_data(const DataConfig& data, const CorpusIdentity& corpus) {
  json result{{"tokenizer_sha256", corpus.tokenizer_sha256}};
  if (corpus.mixture.empty()) result["corpus_sha256"] = corpus.corpus_sha256;
  for (const auto& [sha256, weight] : corpus.mixture)
    result["mixture"].push_back({{"corpus_sha256", sha256}, {"weight", weight}});
  if (data.seed != kData.seed) result["seed"] = data.seed;
  if (data.cross_document != kData.cross_document) result["cross_document"] = data.cross_document;
  return result;
}

static json canonical_train(const TrainConfig& train) {
  const OptimizerConfig &optimizer = train.optimizer, &usual = kTrain.optimizer;
  json adamw{{"kind", "adamw"}, {"lr", optimizer.lr}};
  if (optimizer.betas != usual.betas) adamw["betas"] = optimizer.betas;
  if (optimizer.epsilon != usual.epsilon) adamw["epsilon"] = optimizer.epsilon;
  if (optimizer.weight_decay != usual.weight_decay) adamw["weight_decay"] = optimizer.weight_decay;
  if (optimizer.clip != usual.clip) adamw["clip"] = optimizer.clip;
  json schedule{{"kind", word(train.schedule.kind)}};
  if (train.schedule.warmup_tokens != 0) schedule["warmup_tokens"] = train.schedule.warmup_tokens;
  if (train.schedule.cooldown_tokens != 0) schedule["cooldown_tokens"] = train.schedule.cooldown_tokens;
  json result{{"tokens", train.tokens},
              {"batch_tokens", train.batch_tokens},
              {"optimizer", std::move(adamw)},
              {"schedule", std::move(schedule)}};
  if (train.precision != kTrain.precision) result["precision"] = word(train.precision);
  if (train.seed != kTrain.seed) result["seed"] = train.seed;
  return result;
}

// Up to `train`, which stands last.
static std::string canonical_head(const ModelConfig& model, const DataConfig& data, const CorpusIdentity& corpus) {
  return fmt::format("{{\"data\":{},\"model\":{},\"semantics\":{},\"train\":", canonical_data(data, corpus).dump(),
                     canonical_model(model), kSemanticsVersion);
}

std::string canonical_form(const RunConfig& config, const CorpusIdentity& corpus) {
  return canonical_head(config.model, config.data, corpus) + canonical_train(config.train).dump() + "}";
}

std::string run_id(const RunConfig& config, const CorpusIdentity& corpus) {
  return sha256_hex(canonical_form(config, corpus));
}

RunIds::RunIds(const ModelConfig& model, const DataConfig& data, const CorpusIdentity& corpus) {
  shared_.update(canonical_head(model, data, corpus));
}

std::string RunIds::of(const TrainConfig& train) const {
  Sha256 hash(shared_);
  hash.update(canonical_train(train).dump());
  hash.update("}");
  return hash.hex();
}

}  // namespace hyscale::spec
