#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/data/split_pattern.h"

namespace hyscale::data {

/// What a file of ranks leaves unsaid, by the name of a published encoding: gpt2, cl100k, o200k, llama3, qwen.
struct RankPreset {
  std::string name, pattern;
  bool nfc = false;                                        // text is normalised first
  std::vector<std::pair<std::string, int64_t>> special{};  // with their distance to the last rank
  std::string bos{}, eos{};
};
std::span<const RankPreset> rank_presets();
/// Null when there is none of this name.
const RankPreset* find_rank_preset(const std::string& name);
/// "cl100k, gpt2, …"
std::string rank_preset_names();

/// The pattern of a preset that exists.
SplitPattern split_preset(const std::string& name);

}  // namespace hyscale::data
