#include "core/spec/run_config.h"

#include <filesystem>
#include <fmt/format.h>
#include <utility>

#include "core/base/files.h"
#include "core/spec/checks.h"
#include "core/spec/model_parser.h"
#include "core/spec/overrides.h"

namespace hyscale::spec {

std::vector<CorpusShare> DataConfig::shares() const {
  if (mixture.empty()) return {{corpus, 1}};
  std::vector<CorpusShare> shares = mixture;
  double total = 0;
  for (const CorpusShare& share : shares) total += share.weight;
  for (CorpusShare& share : shares) share.weight = std::stod(fmt::format("{:.12g}", share.weight / total));
  return shares;
}

static constexpr double kMaxTokens = 9e15;

static std::vector<CorpusShare> parse_mixture(const YamlValue& list) {
  std::vector<CorpusShare> shares;
  for (const YamlValue& item : list.as_sequence()) {
    YamlMap map = item.as_map();
    CorpusShare share;
    share.corpus = map.required<std::string>("corpus");
    share.weight = map.required<double>("weight", {.min = 1e-6, .max = 1e6});
    for (const CorpusShare& other : shares)
      if (other.corpus == share.corpus && !share.corpus.empty())
        map.problem_at("corpus", fmt::format("corpus {} is there twice", share.corpus), "add up its weights");
    map.finish();
    shares.push_back(std::move(share));
  }
  if (shares.empty() && list.is_sequence())
    list.problem("data.mixture is empty", "write [{corpus: books, weight: 0.7}, {corpus: code, weight: 0.3}]");
  return shares;
}

static DataConfig parse_data(YamlMap map) {
  DataConfig data;
  if (map.has("mixture")) {
    data.mixture = parse_mixture(map.value("mixture"));
    if (map.has("corpus"))
      map.problem_at("corpus", "data.corpus and data.mixture are two ways to say what to read", "keep one of them");
    map.value("corpus");
    if (data.mixture.size() == 1) data.corpus = std::exchange(data.mixture, {}).front().corpus;
  } else {
    data.corpus = map.required<std::string>("corpus");
  }
  data.seed = map.optional<int64_t>("seed", data.seed, {.min = 0});
  data.cross_document = map.optional<bool>("cross_document", data.cross_document);
  map.finish();
  return data;
}

static std::array<double, 2> parse_betas(YamlMap& map, std::array<double, 2> otherwise) {
  const YamlValue value = map.value("betas");
  if (!value.exists()) return otherwise;
  const std::vector<YamlValue> items = value.as_sequence();
  if (items.size() != 2) {
    if (value.is_sequence()) value.problem(value.path() + " needs two numbers", "write [0.9, 0.95]");
    return otherwise;
  }
  const Range range{.min = 0, .max = 0.999999};
  return {items[0].as<double>(range).value_or(otherwise[0]), items[1].as<double>(range).value_or(otherwise[1])};
}

static OptimizerConfig parse_optimizer(YamlMap map) {
  OptimizerConfig optimizer;
  map.choice("kind", {"adamw"}, 0);
  optimizer.lr = map.required<double>("lr", {.min = 1e-12, .max = 1e3});
  optimizer.betas = parse_betas(map, optimizer.betas);
  optimizer.epsilon = map.optional<double>("epsilon", optimizer.epsilon, {.min = 1e-30, .max = 1});
  optimizer.weight_decay = map.optional<double>("weight_decay", optimizer.weight_decay, {.min = 0, .max = 1e3});
  optimizer.clip = map.optional<double>("clip", optimizer.clip, {.min = 0, .max = 1e6});
  map.finish();
  return optimizer;
}

static ScheduleConfig parse_schedule(YamlMap map, int64_t tokens, int64_t batch_tokens) {
  ScheduleConfig schedule;
  schedule.kind = static_cast<ScheduleKind>(map.required_choice("kind", {"trapezoid", "cosine", "constant"}));
  schedule.warmup_tokens = map.optional<int64_t>("warmup_tokens", 0, {.min = 0, .max = kMaxTokens});
  schedule.cooldown_tokens = map.optional<int64_t>("cooldown_tokens", 0, {.min = 0, .max = kMaxTokens});
  if (schedule.cooldown_tokens > 0 && schedule.kind != ScheduleKind::trapezoid)
    map.problem_at("cooldown_tokens", "train.schedule.cooldown_tokens belongs to a trapezoid only",
                   "use kind: trapezoid, or leave cooldown_tokens out");
  check_multiple(map, "cooldown_tokens", schedule.cooldown_tokens, "train.batch_tokens", batch_tokens,
                 "the cool-down starts between two steps");
  if (tokens > 0 && schedule.warmup_tokens + schedule.cooldown_tokens > tokens)
    map.problem(fmt::format("train.schedule: warmup_tokens {} + cooldown_tokens {} exceed train.tokens = {}",
                            schedule.warmup_tokens, schedule.cooldown_tokens, tokens),
                "shorten one of them, or train on more tokens");
  map.finish();
  return schedule;
}

static TrainConfig parse_train(YamlMap map, int64_t context) {
  TrainConfig train;
  train.tokens = map.required<int64_t>("tokens", {.min = 1, .max = kMaxTokens});
  train.batch_tokens = map.required<int64_t>("batch_tokens", {.min = 1, .max = kMaxTokens});
  check_multiple(map, "tokens", train.tokens, "train.batch_tokens", train.batch_tokens, "a run has whole steps");
  check_multiple(map, "batch_tokens", train.batch_tokens, "model.context", context, "a batch has whole sequences");
  train.optimizer = parse_optimizer(map.map("optimizer"));
  train.schedule = parse_schedule(map.map("schedule"), train.tokens, train.batch_tokens);
  train.precision = static_cast<Precision>(map.choice("precision", {"fp32", "bf16", "fp8"}, 0));
  train.seed = map.optional<int64_t>("seed", train.seed, {.min = 0});
  map.finish();
  return train;
}

static RunFile parse_run_file(const std::string& text, const std::string& name,
                              const std::vector<std::string>& overrides) {
  Problems problems;
  YamlMap root = parse_with_overrides(text, name, overrides, problems);
  RunFile file;
  root.required_choice("format", {"hyscale.run/1"});
  file.config.model = parse_model(root.map("model"), file.mixers);
  file.config.data = parse_data(root.map("data"));
  file.config.train = parse_train(root.map("train"), file.config.model.context);
  root.finish();
  throw_if_any(problems, overrides);
  return file;
}

RunConfig parse_run_config(const std::string& text, const std::string& name,
                           const std::vector<std::string>& overrides) {
  return parse_run_file(text, name, overrides).config;
}

RunConfig load_run_config(const std::string& path, const std::vector<std::string>& overrides) {
  return load_run_file(path, overrides).config;
}

RunFile load_run_file(const std::string& path, const std::vector<std::string>& overrides) {
  if (!std::filesystem::exists(path))
    throw ConfigError({.what = "there is no run config at " + path, .remedy = "check the spelling of the path"});
  return parse_run_file(read_file(path), path, overrides);
}

}  // namespace hyscale::spec
