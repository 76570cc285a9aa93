#include "core/mixers/attention/rope_spec.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numbers>

#include <nlohmann/json.hpp>

#include "core/base/yaml_reader.h"

namespace hyscale::spec {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;
constexpr Llama3Scaling kLlama3{};

double scaled(double frequency, const Llama3Scaling& scaling) {
  const double length = static_cast<double>(scaling.original_context), wavelength = kTurn / frequency;
  if (wavelength > length / scaling.low_freq_factor) return frequency / scaling.factor;
  if (wavelength < length / scaling.high_freq_factor) return frequency;
  const double smooth =
      (length / wavelength - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
  return (1 - smooth) * frequency / scaling.factor + smooth * frequency;
}

// The index, in parts of a pair, of the pair that turns `turns` times within the trained context.
double pair_that_turns(double turns, double channels, const Rope& rope, const RopeExtension& extension) {
  const double context = static_cast<double>(extension.trained_context);
  return channels * std::log(context / (turns * kTurn)) / (2 * std::log(rope.theta));
}

void extend_by_parts(RopeFrequencies& frequencies, const Rope& rope, const RopeExtension& extension) {
  const double channels = 2 * static_cast<double>(frequencies.radians.size());
  const auto bound = [&](double pair) { return std::clamp(pair, 0.0, channels - 1); };
  const double low = bound(std::floor(pair_that_turns(32, channels, rope, extension)));
  const double high = bound(std::ceil(pair_that_turns(1, channels, rope, extension)));
  const double width = high == low ? 0.001 : high - low;
  for (size_t i = 0; i < frequencies.radians.size(); ++i) {
    const double stretched = std::clamp((static_cast<double>(i) - low) / width, 0.0, 1.0);
    frequencies.radians[i] *= stretched / extension.factor + (1 - stretched);
  }
  frequencies.amplitude = 0.1 * std::log(extension.factor) + 1;
}

void extend(RopeFrequencies& frequencies, const Rope& rope, const RopeExtension& extension) {
  std::vector<double>& radians = frequencies.radians;
  switch (extension.kind) {
    case RopeExtension::Kind::none:
      return;
    case RopeExtension::Kind::linear:
      for (double& f : radians) f /= extension.factor;
      return;
    case RopeExtension::Kind::ntk:
      for (size_t i = 1; i < radians.size(); ++i)
        radians[i] *= std::pow(extension.factor, -static_cast<double>(i) / static_cast<double>(radians.size() - 1));
      return;
    case RopeExtension::Kind::yarn:
      return extend_by_parts(frequencies, rope, extension);
  }
}

}  // namespace

int64_t Rope::channels(int64_t head_dim) const {
  return static_cast<int64_t>(static_cast<double>(head_dim) * fraction) / 2 * 2;
}

RopeFrequencies rope_frequencies(const Rope& rope, int64_t head_dim, const RopeExtension& extension) {
  const auto pairs = static_cast<size_t>(rope.channels(head_dim) / 2);
  RopeFrequencies frequencies;
  for (size_t i = 0; i < pairs; ++i) {
    const double frequency = std::pow(rope.theta, -static_cast<double>(i) / static_cast<double>(pairs));
    frequencies.radians.push_back(rope.scaling ? scaled(frequency, *rope.scaling) : frequency);
  }
  extend(frequencies, rope, extension);
  return frequencies;
}

nlohmann::json Rope::canonical() const {
  nlohmann::json json{{"theta", theta}};
  if (fraction != 1) json["fraction"] = fraction;
  if (!scaling) return json;
  nlohmann::json& llama3 = json["scaling"] = {{"kind", "llama3"}, {"factor", scaling->factor}};
  if (scaling->low_freq_factor != kLlama3.low_freq_factor) llama3["low_freq_factor"] = scaling->low_freq_factor;
  if (scaling->high_freq_factor != kLlama3.high_freq_factor) llama3["high_freq_factor"] = scaling->high_freq_factor;
  if (scaling->original_context != kLlama3.original_context) llama3["original_context"] = scaling->original_context;
  return json;
}

std::string Rope::to_yaml() const {
  std::string text = fmt::format("{{theta: {}", theta);
  if (fraction != 1) text += fmt::format(", fraction: {}", fraction);
  if (scaling)
    text += fmt::format(
        ", scaling: {{kind: llama3, factor: {}, low_freq_factor: {}, high_freq_factor: {}, original_context: {}}}",
        scaling->factor, scaling->low_freq_factor, scaling->high_freq_factor, scaling->original_context);
  return text + "}";
}

RopeExtension parse_rope_extension(const std::string& text) {
  static constexpr const char* kNames[] = {"linear", "ntk", "yarn"};
  if (text == "none") return {};
  const size_t colon = text.find(':');
  const auto name = std::find(std::begin(kNames), std::end(kNames), text.substr(0, colon));
  const double factor = colon == std::string::npos ? 0 : parse_number(text.substr(colon + 1)).value_or(0);
  if (name == std::end(kNames) || !(factor >= 1 && factor <= 1e6))
    throw ConfigError({.what = fmt::format("'{}' is no extension of rotary positions", text),
                       .remedy = "write none, linear:F, ntk:F or yarn:F with a factor F of at least 1, e.g. yarn:4"});
  return {.kind = static_cast<RopeExtension::Kind>(1 + (name - std::begin(kNames))), .factor = factor};
}

std::string to_string(const RopeExtension& extension) {
  switch (extension.kind) {
    case RopeExtension::Kind::none:
      return "none";
    case RopeExtension::Kind::linear:
      return fmt::format("linear:{}", extension.factor);
    case RopeExtension::Kind::ntk:
      return fmt::format("ntk:{}", extension.factor);
    case RopeExtension::Kind::yarn:
      return fmt::format("yarn:{}", extension.factor);
  }
  return "";
}

static std::optional<Llama3Scaling> parse_scaling(YamlMap& rope) {
  const YamlValue value = rope.value("scaling");
  if (!value.exists() || value.text() == "none") return {};
  if (!value.is_map()) {
    value.problem(fmt::format("{} should be none or {{kind: llama3, factor: …}}", value.path()),
                  "write scaling: {kind: llama3, factor: 32}");
    return {};
  }
  YamlMap map = value.as_map();
  Llama3Scaling scaling;
  map.required_choice("kind", {"llama3"});
  scaling.factor = map.required<double>("factor", {.min = 1, .max = 1e6});
  scaling.low_freq_factor = map.optional<double>("low_freq_factor", kLlama3.low_freq_factor, {.min = 1e-6, .max = 1e6});
  scaling.high_freq_factor =
      map.optional<double>("high_freq_factor", kLlama3.high_freq_factor, {.min = 1e-6, .max = 1e6});
  scaling.original_context =
      map.optional<int64_t>("original_context", kLlama3.original_context, {.min = 1, .max = 1e9});
  if (scaling.low_freq_factor >= scaling.high_freq_factor)
    map.problem_at("high_freq_factor",
                   fmt::format("{}.high_freq_factor = {} is not above low_freq_factor = {}", map.path(),
                               scaling.high_freq_factor, scaling.low_freq_factor),
                   "use e.g. 4 and 1", "the frequencies between the two are blended");
  map.finish();
  return scaling;
}

static void check_channels(const YamlMap& block, const YamlMap& map, const Rope& rope, int64_t head_dim) {
  if (rope.fraction == 1 && head_dim % 2 != 0)
    return block.problem_at("head_dim", fmt::format("{}.head_dim = {} is odd", block.path(), head_dim),
                            "use an even head_dim, or rope: none", "rope turns pairs of channels");
  if (head_dim > 0 && rope.channels(head_dim) == 0)
    map.problem_at(
        "fraction",
        fmt::format("{} = {} of head_dim = {} leaves no pair of channels to turn", map.path_of("fraction"),
                    rope.fraction, head_dim),
        fmt::format("use at least {:.3g}, or rope: none", std::min(1.0, 2.0 / static_cast<double>(head_dim))));
}

std::optional<Rope> parse_rope(YamlMap& block, int64_t head_dim) {
  const YamlValue value = block.value("rope");
  if (!value.exists() || value.text() == "none") return {};
  if (!value.is_map()) {
    value.problem(fmt::format("{} should be none or {{theta: …}}", value.path()), "write rope: {theta: 10000}");
    return {};
  }
  YamlMap map = value.as_map();
  const size_t before = map.problems().list().size();
  Rope rope;
  rope.theta = map.required<double>("theta", {.min = 1, .max = 1e12});
  rope.fraction = map.optional<double>("fraction", 1, {.min = 1e-6, .max = 1});
  rope.scaling = parse_scaling(map);
  if (map.problems().list().size() == before) check_channels(block, map, rope, head_dim);
  map.finish();
  return rope;
}

}  // namespace hyscale::spec
