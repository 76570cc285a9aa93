#include "core/data/bpe_model.h"

#include "core/data/unicode.h"

namespace hyscale::data {

void BpeModel::encode(std::string_view word, Scratch& scratch) const {
  auto& tokens = scratch.tokens;
  tokens.clear();
  if (!whole_words.empty())
    if (const auto whole = whole_words.find(word); whole != whole_words.end()) {
      tokens.push_back(whole->second);
      return;
    }
  if (of_bytes)
    for (const char c : word) tokens.push_back(bytes[static_cast<unsigned char>(c)]);
  else
    take_characters(word, tokens);
  merges.apply(tokens, scratch.merge);
}

void BpeModel::take_characters(std::string_view word, std::vector<int32_t>& tokens) const {
  bool after_unknown = false;
  for (size_t at = 0; at < word.size();) {
    const size_t begin = at;
    const auto found = characters.find(next_character(word, at));
    const bool is_unknown = found == characters.end() && bytes[0] < 0;
    if (found != characters.end())
      tokens.push_back(found->second);
    else if (!is_unknown)
      for (size_t i = begin; i < at; ++i) tokens.push_back(bytes[static_cast<unsigned char>(word[i])]);
    else if (!(after_unknown && fuse_unknown))
      tokens.push_back(unknown);
    after_unknown = is_unknown;
  }
}

}  // namespace hyscale::data
