#include "core/data/split_presets.h"

#include <fmt/format.h>

namespace hyscale::data {
namespace {

// The patterns are part of each format: PyPI's tiktoken has the first three, the models' own publications the others.
constexpr const char* kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* kCl100k =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s)";
constexpr const char* kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr const char* kEndOfText = "<|endoftext|>";

RankPreset llama3() {
  RankPreset preset{.name = "llama3", .pattern = kLlama3, .bos = "<|begin_of_text|>", .eos = "<|end_of_text|>"};
  int64_t reserved = 0;
  const auto add = [&](std::string name) {
    preset.special.emplace_back(std::move(name), static_cast<int64_t>(preset.special.size()) + 1);
  };
  const auto reserve = [&](int64_t until) {
    for (; reserved < until; ++reserved) add(fmt::format("<|reserved_special_token_{}|>", reserved));
  };
  add(preset.bos), add(preset.eos), reserve(4);
  add("<|start_header_id|>"), add("<|end_header_id|>"), reserve(5);
  add("<|eot_id|>"), reserve(251);
  return preset;
}

RankPreset qwen() {
  RankPreset preset{.name = "qwen", .pattern = kQwen, .nfc = true, .bos = kEndOfText, .eos = kEndOfText};
  preset.special = {{kEndOfText, 1}, {"<|im_start|>", 2}, {"<|im_end|>", 3}};
  for (int64_t i = 0; i < 205; ++i) preset.special.emplace_back(fmt::format("<|extra_{}|>", i), i + 4);
  return preset;
}

std::vector<RankPreset> all_presets() {
  std::vector<RankPreset> presets;
  presets.push_back({.name = "cl100k",
                     .pattern = kCl100k,
                     .special = {{kEndOfText, 2},
                                 {"<|fim_prefix|>", 3},
                                 {"<|fim_middle|>", 4},
                                 {"<|fim_suffix|>", 5},
                                 {"<|endofprompt|>", 21}},
                     .bos = kEndOfText,
                     .eos = kEndOfText});
  presets.push_back(
      {.name = "gpt2", .pattern = kGpt2, .special = {{kEndOfText, 1}}, .bos = kEndOfText, .eos = kEndOfText});
  presets.push_back(llama3());
  presets.push_back({.name = "o200k",
                     .pattern = kO200k,
                     .special = {{kEndOfText, 2}, {"<|endofprompt|>", 21}},
                     .bos = kEndOfText,
                     .eos = kEndOfText});
  presets.push_back(qwen());
  return presets;
}

}  // namespace

std::span<const RankPreset> rank_presets() {
  static const std::vector<RankPreset> presets = all_presets();
  return presets;
}

const RankPreset* find_rank_preset(const std::string& name) {
  for (const RankPreset& preset : rank_presets())
    if (preset.name == name) return &preset;
  return nullptr;
}

std::string rank_preset_names() {
  std::string names;
  for (const RankPreset& preset : rank_presets()) names += (names.empty() ? "" : ", ") + preset.name;
  return names;
}

SplitPattern split_preset(const std::string& name) {
  return SplitPattern(find_rank_preset(name)->pattern, RegexFlavour::rust);
}

}  // namespace hyscale::data
