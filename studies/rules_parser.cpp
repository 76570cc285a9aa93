#include <algorithm>
#include <fmt/format.h>

#include "studies/gpu_kinds.h"
#include "studies/spec_parser.h"

namespace hyscale::studies {

std::vector<Question> parse_questions(const YamlValue& list) {
  std::vector<Question> questions;
  if (!list.exists()) return questions;
  for (const YamlValue& item : list.as_sequence()) {
    YamlMap map = item.as_map();
    Question question;
    question.ask = map.required<std::string>("ask");
    const YamlValue compare = map.value("compare");
    const std::vector<YamlValue> names = compare.as_sequence();
    if (compare.is_sequence() && names.size() != 2)
      compare.problem(compare.path() + " needs two families", "write compare: [intra, transformer]");
    for (size_t i = 0; i < std::min<size_t>(2, names.size()); ++i)
      question.compare[i] = names[i].as<std::string>().value_or("");
    const std::vector<std::string> metrics{"validation_loss", "bits_per_byte"};
    question.metric = metrics[map.choice("metric", metrics, 0)];
    YamlMap at = map.map("at");
    question.at_flops = at.required<double>("flops", {.min = 1, .max = 1e30});
    at.finish();
    question.difference = map.required<double>("difference", {.min = 0, .max = 100});
    question.confidence = map.optional<double>("confidence", question.confidence, {.min = 0.5, .max = 0.9999});
    map.finish();
    questions.push_back(std::move(question));
  }
  return questions;
}

static void parse_sweep(YamlMap map, const std::vector<SizeSpec>& sizes, LearningRateRule& rule) {
  rule.sweep_scale.clear();
  for (const YamlValue& item : map.value("scale").as_sequence())
    rule.sweep_scale.push_back(item.as<double>({.min = 1e-4, .max = 1e4}).value_or(1));
  for (const YamlValue& item : map.value("for").as_sequence()) {
    const auto same = [&](const SizeSpec& size) { return size.name == item.text(); };
    if (std::none_of(sizes.begin(), sizes.end(), same))
      item.problem(fmt::format("{} = {} is no size of this study", item.path(), item.text()),
                   "use the labels under sizes:");
    rule.sweep_for.push_back(item.text());
  }
  rule.carry = map.optional<bool>("carry", false);
  map.finish();
}

// `value`, `exponent`, `at`, `max`, all in the same range.
static PowerRule parse_power(YamlMap& map, Range range, double max) {
  PowerRule rule;
  rule.value = map.required<double>("value", range);
  rule.exponent = map.optional<double>("exponent", 0, {.min = -2, .max = 2});
  rule.at = rule.exponent != 0 ? map.required<double>("at", {.min = 1, .max = 1e13})
                               : map.optional<double>("at", 1, {.min = 1, .max = 1e13});
  rule.max = map.optional<double>("max", max, range);
  return rule;
}

LearningRateRule parse_learning_rate(YamlMap map, const std::vector<SizeSpec>& sizes) {
  LearningRateRule rule;
  rule.rule = parse_power(map, {.min = 1e-12, .max = 1e3}, rule.rule.max);
  if (map.value("sweep").exists()) parse_sweep(map.map("sweep"), sizes, rule);
  map.finish();
  return rule;
}

BatchRule parse_batch(YamlMap map) {
  BatchRule batch;
  const Range range{.min = 1, .max = 1e12};
  if (map.has("tokens") == map.has("value"))
    map.problem("batch needs tokens, or value and exponent, one of them",
                "write {tokens: 8192}, or {at: 1M, value: 8192, exponent: 0.5}");
  if (map.has("value"))
    batch.rule = parse_power(map, range, batch.rule.max);
  else
    batch.tokens = map.optional<int64_t>("tokens", 0, range);
  map.finish();
  return batch;
}

ScheduleRule parse_schedule_rule(YamlMap map) {
  ScheduleRule rule;
  rule.kind = static_cast<spec::ScheduleKind>(map.required_choice("kind", {"trapezoid", "cosine", "constant"}));
  const bool trapezoid = rule.kind == spec::ScheduleKind::trapezoid;
  rule.warmup = map.optional<double>("warmup", 0, {.min = 0, .max = 0.9});
  rule.warmup_tokens = map.optional<int64_t>("warmup_tokens", 0, {.min = 1, .max = 9e15});
  if (map.has("warmup") && map.has("warmup_tokens"))
    map.problem_at("warmup_tokens", "give schedule.warmup or schedule.warmup_tokens, not both");
  rule.cooldown = map.optional<double>("cooldown", 0, {.min = 0, .max = 0.9});
  rule.branch = map.optional<bool>("branch", trapezoid);
  if (!trapezoid && rule.cooldown > 0)
    map.problem_at("cooldown", "schedule.cooldown belongs to a trapezoid only", "leave it out");
  if (rule.branch && (!trapezoid || rule.cooldown <= 0))
    map.problem_at("branch", "schedule.branch needs a trapezoid with a cool-down",
                   "write kind: trapezoid, cooldown: 0.2, or branch: false",
                   "a branch is the cool-down of its budget from the longer run's checkpoint");
  map.finish();
  return rule;
}

static std::array<double, 2> parse_interval(YamlMap& map, const std::string& key, std::array<double, 2> otherwise) {
  const YamlValue value = map.value(key);
  if (!value.exists()) return otherwise;
  const std::vector<YamlValue> items = value.as_sequence();
  if (items.size() != 2) {
    if (value.is_sequence()) value.problem(value.path() + " needs two numbers", "write [lowest, highest]");
    return otherwise;
  }
  const Range range{.min = 0, .max = 1e300};
  const std::array<double, 2> interval{items[0].as<double>(range).value_or(otherwise[0]),
                                       items[1].as<double>(range).value_or(otherwise[1])};
  if (interval[0] > interval[1]) value.problem(value.path() + " starts above its end", "write [lowest, highest]");
  return interval;
}

Limits parse_limits(const YamlValue& value) {
  Limits limits;
  if (!value.exists()) return limits;
  YamlMap map = value.as_map();
  limits.tokens_per_parameter = parse_interval(map, "tokens_per_parameter", limits.tokens_per_parameter);
  limits.epochs = map.optional<double>("epochs", limits.epochs, {.min = 1e-6, .max = 1e6});
  limits.steps = parse_interval(map, "steps", limits.steps);
  map.finish();
  return limits;
}

// "64GiB", "80GB"; a bare number is bytes.
static double parse_bytes(YamlMap& map, const std::string& key) {
  static const std::vector<std::pair<std::string, double>> kUnits{
      {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}};
  const YamlValue value = map.value(key);
  if (!value.exists()) return 0;
  std::string text = value.text();
  double scale = 1;
  for (const auto& [unit, size] : kUnits)
    if (text.size() > unit.size() && text.ends_with(unit)) {
      scale = size;
      text.resize(text.find_last_not_of(' ', text.size() - unit.size() - 1) + 1);
      break;
    }
  const auto number = parse_number(text);
  if (!number || *number * scale < 1e6)
    value.problem(fmt::format("{} = '{}' is no amount of memory", value.path(), value.text()), "write \"64GiB\"");
  return number ? *number * scale : 0;
}

Resources parse_resources(const YamlValue& value) {
  Resources r;
  if (!value.exists()) return r;
  YamlMap map = value.as_map();
  const std::vector<std::string> devices{"auto", "cpu", "cuda"};
  r.device = devices[map.choice("device", devices, 0)];
  r.gpus = map.optional<int64_t>("gpus", r.gpus, {.min = 0, .max = 1e6});
  r.tp = map.optional<int64_t>("tp", r.tp, {.min = 1, .max = 1e5});
  r.runs_per_gpu = map.optional<int64_t>("runs_per_gpu", r.runs_per_gpu, {.min = 1, .max = 64});
  r.ranks = map.optional<int64_t>("ranks", std::max<int64_t>(1, r.gpus), {.min = 1, .max = 1e6});
  r.threads = map.optional<int64_t>("threads", r.threads, {.min = 0, .max = 1e4});
  r.runs = map.optional<int64_t>("runs", r.runs, {.min = 0, .max = 1e5});
  r.micro_batch = map.optional<int64_t>("micro_batch", r.micro_batch, {.min = 0, .max = 1e6});
  r.memory = parse_bytes(map, "memory");
  if (map.value("gpu_kind").exists()) r.gpu_kind = gpu_kind_names()[map.choice("gpu_kind", gpu_kind_names(), 0)];
  r.price_per_gpu_hour = map.optional<double>("price_per_gpu_hour", 0, {.min = 0, .max = 1e6});
  r.price_per_core_hour = map.optional<double>("price_per_core_hour", 0, {.min = 0, .max = 1e6});
  r.time = map.optional<std::string>("time", "");
  if (!r.time.empty() && !is_time_limit(r.time))
    map.problem_at("time", fmt::format("resources.time = '{}' is no time limit", r.time), "write \"02:00:00\"");
  if (r.ranks % r.tp != 0)
    map.problem_at("tp", fmt::format("resources.tp = {} does not divide the {} ranks", r.tp, r.ranks),
                   "set resources.ranks to a multiple of it", "ranks = dp × tp");
  map.finish();
  return r;
}

std::vector<std::string> parse_evaluate(const YamlValue& list) {
  if (!list.exists()) return {"validation"};
  const std::vector<std::string> known{"validation", "position", "needle"};
  std::vector<std::string> chosen;
  for (const YamlValue& item : list.as_sequence()) {
    if (std::find(known.begin(), known.end(), item.text()) == known.end())
      item.problem(fmt::format("{} = '{}' is not known", item.path(), item.text()),
                   "use validation, position or needle");
    chosen.push_back(item.text());
  }
  return chosen;
}

}  // namespace hyscale::studies
