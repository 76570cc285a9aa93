#pragma once

#include "core/spec/mixer_spec.h"

namespace hyscale::tests {

struct EmaSpec final : spec::MixerSpec {
  int64_t width = 0;  // d_model
  double half_life = 2;

  std::string_view kind() const override { return "ema"; }
  std::vector<spec::ParameterSpec> parameters(int64_t d_model) const override;
  int64_t paper_parameters(int64_t d_model) const override { return d_model * d_model; }
  spec::MixerFlops flops_per_token(int64_t d_model, int64_t context) const override;
  spec::CacheSize cache(int64_t context) const override;
  spec::ActivationSize activations(int64_t sequences, int64_t length) const override;
  nlohmann::json canonical() const override;
  std::string to_yaml() const override;
  std::shared_ptr<const spec::MixerSpec> at_scale(const spec::MixerScale& scale) const override;
};

std::shared_ptr<const spec::MixerSpec> parse_ema(YamlMap& map, int64_t d_model);

}  // namespace hyscale::tests
