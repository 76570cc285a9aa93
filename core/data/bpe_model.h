#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/data/merge_table.h"

namespace hyscale::data {

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
using WordIds = std::unordered_map<std::string, int32_t, StringHash, std::equal_to<>>;

/// Byte-pair encoding of one word: its bytes or characters become tokens, which are then merged.
struct BpeModel {
  MergeTable merges{0};
  bool of_bytes = true;                                // the smallest tokens are bytes, else characters
  std::array<int32_t, 256> bytes{};                    // token of each byte; with characters, the fall-back; -1: none
  std::unordered_map<char32_t, int32_t> characters{};  // token of each character
  int32_t unknown = -1;                                // token of a character that has none
  bool fuse_unknown = false;                           // neighbouring unknown characters give one token
  WordIds whole_words{};                               // these words are not built by merges

  struct Scratch {
    std::vector<int32_t> tokens{};
    MergeTable::Scratch merge{};
  };
  /// Leaves the ids of `word` in scratch.tokens.
  void encode(std::string_view word, Scratch& scratch) const;

 private:
  void take_characters(std::string_view word, std::vector<int32_t>& tokens) const;
};

}  // namespace hyscale::data
