#include "tests/mixers/ema/ema_spec.h"

#include <cmath>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/yaml_reader.h"

namespace hyscale::tests {

std::vector<spec::ParameterSpec> EmaSpec::parameters(int64_t d_model) const {
  const double kept = std::exp2(-1 / half_life), start = std::log(kept / (1 - kept));
  return {
      {.name = "decay", .shape = {d_model}, .init = {spec::InitKind::constant, start, 0}, .decay = false},
      {.name = "out.weight", .shape = {d_model, d_model}, .init = spec::matrix_init(d_model), .writes_residual = true}};
}

// Three multiply-adds a channel forward, five backward.
spec::MixerFlops EmaSpec::flops_per_token(int64_t d_model, int64_t) const {
  const double recurrence = 16.0 * static_cast<double>(d_model);
  return {.paper = recurrence, .executed = recurrence};
}

spec::CacheSize EmaSpec::cache(int64_t) const {
  return {.state_elements = width, .paper_bytes_bf16 = 2.0 * static_cast<double>(width)};
}

spec::ActivationSize EmaSpec::activations(int64_t sequences, int64_t length) const {
  const int64_t rows = sequences * length * spec::stored_row(width);
  return {.kept = rows, .scratch = rows};
}

nlohmann::json EmaSpec::canonical() const {
  nlohmann::json json{{"kind", "ema"}};
  if (half_life != EmaSpec{}.half_life) json["half_life"] = half_life;
  return json;
}

std::string EmaSpec::to_yaml() const { return fmt::format("{{kind: ema, half_life: {}}}", half_life); }

std::shared_ptr<const spec::MixerSpec> EmaSpec::at_scale(const spec::MixerScale& scale) const {
  auto spec = std::make_shared<EmaSpec>(*this);
  spec->width = scale.d_model;
  return spec;
}

std::shared_ptr<const spec::MixerSpec> parse_ema(YamlMap& map, int64_t d_model) {
  auto spec = std::make_shared<EmaSpec>();
  spec->width = d_model;
  spec->half_life = map.optional<double>("half_life", spec->half_life, {.min = 0.1, .max = 1e6});
  return spec;
}

}  // namespace hyscale::tests
