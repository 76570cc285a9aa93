#include "exchange/homes.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/yaml_reader.h"

namespace hyscale::exchange {

const std::vector<HomeRules>& all_homes() {
  // In order of preference: where two hold a stack, the plainer one stands first.
  static const std::vector<HomeRules> homes = {{.home = Home::llama,
                                                .class_name = "LlamaForCausalLM",
                                                .model_type = "llama",
                                                .attention = true,
                                                .mamba2 = false,
                                                .hybrid = false,
                                                .ffn = true,
                                                .rope = RopeRule::whole,
                                                .heads_divide_width = true},
                                               {.home = Home::mamba2,
                                                .class_name = "Mamba2ForCausalLM",
                                                .model_type = "mamba2",
                                                .attention = false,
                                                .mamba2 = true,
                                                .hybrid = false,
                                                .ffn = false,
                                                .rope = RopeRule::without,
                                                .whole_expansion = true},
                                               {.home = Home::bamba,
                                                .class_name = "BambaForCausalLM",
                                                .model_type = "bamba",
                                                .attention = true,
                                                .mamba2 = true,
                                                .hybrid = false,
                                                .ffn = true,
                                                .rope = RopeRule::part,
                                                .whole_expansion = true},
                                               {.home = Home::granite,
                                                .class_name = "GraniteMoeHybridForCausalLM",
                                                .model_type = "granitemoehybrid",
                                                .attention = true,
                                                .mamba2 = true,
                                                .hybrid = false,
                                                .ffn = true,
                                                .rope = RopeRule::without,
                                                .whole_expansion = true},
                                               {.home = Home::falcon,
                                                .class_name = "FalconH1ForCausalLM",
                                                .model_type = "falcon_h1",
                                                .attention = false,
                                                .mamba2 = false,
                                                .hybrid = true,
                                                .ffn = true,
                                                .rope = RopeRule::whole}};
  return homes;
}

const HomeRules& rules_of(Home home) {
  return *std::find_if(all_homes().begin(), all_homes().end(), [&](const HomeRules& r) { return r.home == home; });
}

template <class Spec>
static const Spec* part_of(const spec::MixerSpec& mixer) {
  if (const auto* alone = dynamic_cast<const Spec*>(&mixer)) return alone;
  if (const auto* hybrid = dynamic_cast<const spec::HybridSpec*>(&mixer))
    for (const auto& branch : hybrid->branches)
      if (const auto* part = dynamic_cast<const Spec*>(branch.get())) return part;
  return nullptr;
}
const spec::AttentionSpec* attention_of(const spec::MixerSpec& mixer) { return part_of<spec::AttentionSpec>(mixer); }
const spec::Mamba2Spec* mamba2_of(const spec::MixerSpec& mixer) { return part_of<spec::Mamba2Spec>(mixer); }

Shapes shapes_of(const spec::ModelConfig& model) {
  Shapes shapes;
  for (const spec::BlockConfig& block : model.stack) {
    if (!shapes.attention) shapes.attention = attention_of(*block.mixer);
    if (!shapes.mamba2) shapes.mamba2 = mamba2_of(*block.mixer);
    if (!shapes.hybrid) shapes.hybrid = dynamic_cast<const spec::HybridSpec*>(block.mixer.get());
    if (shapes.d_ff == 0 && block.ffn) shapes.d_ff = block.ffn->d_ff;
  }
  return shapes;
}

/// Where the value that `keys` lead to stands in the file; the nearest part above it when it is not written there.
static Location locate(const std::string& file, const std::vector<std::string>& keys) {
  Problems ignored;
  YamlMap map = YamlMap::parse(read_file(file), file, ignored);
  Location at = map.at();
  YamlValue value;
  for (const std::string& key : keys) {
    if (value.exists() && value.is_sequence()) {
      const std::vector<YamlValue> items = value.as_sequence();
      size_t index = 0;
      std::from_chars(key.data(), key.data() + key.size(), index);
      if (index >= items.size()) break;
      value = items[index];
    } else {
      if (value.exists() && !value.is_map()) break;
      YamlMap here = value.exists() ? value.as_map() : map;
      if (!here.has(key)) break;
      value = here.value(key);
    }
    at = value.at();
  }
  return at;
}

// How far a class is from a stack: layers of a kind that it lacks weigh more than any number of other reasons.
static std::pair<size_t, size_t> distance(const HomeRules& home, const spec::ModelConfig& model, size_t reasons) {
  const size_t foreign =
      static_cast<size_t>(std::count_if(model.stack.begin(), model.stack.end(), [&](const spec::BlockConfig& block) {
        const std::string_view kind = block.mixer->kind();
        return !((home.attention && kind == "attention") || (home.mamba2 && kind == "mamba2") ||
                 (home.hybrid && kind == "hybrid"));
      }));
  return {foreign, reasons};
}

Home home_of(const spec::ModelConfig& model, const std::string& run_yaml) {
  std::vector<const HomeRules*> nearest;
  std::pair<size_t, size_t> least{SIZE_MAX, SIZE_MAX};
  for (const HomeRules& home : all_homes()) {
    const size_t reasons = reasons_against(home, model).size();
    if (reasons == 0) return home.home;
    const auto here = distance(home, model, reasons);
    if (here < least) nearest.clear(), least = here;
    if (here == least) nearest.push_back(&home);
  }
  std::vector<Problem> problems;
  for (const HomeRules* home : nearest)
    for (const Unfit& reason : reasons_against(*home, model))
      problems.push_back({.what = fmt::format("{} {}", home->class_name, reason.what),
                          .remedy = reason.remedy,
                          .at = locate(run_yaml, reason.at)});
  throw ConfigError(problems);
}

}  // namespace hyscale::exchange
