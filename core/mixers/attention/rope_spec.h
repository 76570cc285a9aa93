#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace hyscale {
class YamlMap;
}

namespace hyscale::spec {

/// Llama 3.1's frequency scaling (Grattafiori et al. 2024), as the `rope_type: llama3` of Hugging Face's transformers
/// computes it. With the wavelength λ_i = 2π / f_i and L = original_context:
///   λ_i > L / low_freq_factor: f_i / factor;   λ_i < L / high_freq_factor: f_i;   between them
///   (1 − s) f_i / factor + s f_i with s = (L / λ_i − low_freq_factor) / (high_freq_factor − low_freq_factor)
struct Llama3Scaling {
  double factor = 1;  // >= 1
  double low_freq_factor = 1;
  double high_freq_factor = 4;      // > low_freq_factor
  int64_t original_context = 8192;  // tokens
};

/// Rotary position embedding (Su et al. 2021), half-split: of the d turned channels of a head, pair i is (i, i + d/2),
/// turned by position × f_i with f_i = theta^(−2i/d), scaled where `scaling` says so.
struct Rope {
  double theta = 10000;
  double fraction = 1;  // of a head's channels that turn: the first ones; the rest passes
  std::optional<Llama3Scaling> scaling{};

  /// d: fraction · head_dim, cut to a whole number (Hugging Face's partial_rotary_factor), then to an even one.
  int64_t channels(int64_t head_dim) const;
  nlohmann::json canonical() const;  // what differs from its default, and theta
  std::string to_yaml() const;       // "{theta: 10000}"
};

/// How positions are stretched by `factor` when a trained model reads longer sequences. It acts on the frequencies that
/// the model was trained with, scaling included, and belongs to an evaluation, never to a run.
///   linear  f_i / factor: position interpolation (Chen et al. 2023, arXiv 2306.15595)
///   ntk     f_i · factor^(−2i/(d−2)), which is theta' = theta · factor^(d/(d−2)): "NTK-aware" interpolation (named
///           so in Peng et al. 2023, §3.1); the fastest pair stays, the slowest is divided by factor
///   yarn    NTK by parts (Peng et al. 2023, arXiv 2309.00071, §3.2): pairs that turn more than 32 times within the
///           trained context stay, those that turn less than once are divided by factor, a ramp over the pair's index
///           lies between (bounds cut to whole pairs, as the authors' code and transformers do); cos and sin times
///           0.1 ln(factor) + 1, which is the attention temperature (§3.3)
struct RopeExtension {
  enum class Kind { none, linear, ntk, yarn };
  Kind kind = Kind::none;
  double factor = 1;            // >= 1
  int64_t trained_context = 0;  // tokens; yarn alone asks
};
/// "none", "linear:2", "ntk:2", "yarn:2.5". Throws ConfigError naming what may be written.
RopeExtension parse_rope_extension(const std::string& text);
std::string to_string(const RopeExtension& extension);

/// What the kernel's tables are made of.
struct RopeFrequencies {
  std::vector<double> radians;  // [d / 2] per token
  double amplitude = 1;         // of cos and sin
};
RopeFrequencies rope_frequencies(const Rope& rope, int64_t head_dim, const RopeExtension& extension = {});

/// Reads `rope:` of a block with heads of `head_dim` channels; problems go to the map's collector. nullopt: none.
std::optional<Rope> parse_rope(YamlMap& block, int64_t head_dim);

}  // namespace hyscale::spec
