#include "core/data/added_tokens.h"

#include <algorithm>

#include "core/data/unicode.h"

namespace hyscale::data {
namespace {

bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

// Where the white space that ends at `end` begins, at or behind `least`.
size_t space_before(std::string_view text, size_t least, size_t end) {
  while (end > least) {
    size_t begin = end - 1;
    while (begin > least && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
    size_t at = begin;
    if (!is_white_space(next_character(text, at))) break;
    end = begin;
  }
  return end;
}

size_t space_behind(std::string_view text, size_t begin) {
  for (size_t at = begin; at < text.size(); begin = at)
    if (!is_white_space(next_character(text, at))) break;
  return begin;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, bool with_special)
    : tokens_(std::move(tokens)), with_special_(with_special) {
  std::erase_if(tokens_, [](const AddedToken& token) { return token.content.empty(); });
  std::sort(tokens_.begin(), tokens_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  const auto same = [](const AddedToken& a, const AddedToken& b) { return a.content == b.content; };
  tokens_.erase(std::unique(tokens_.begin(), tokens_.end(), same), tokens_.end());
  for (const AddedToken& token : tokens_) begins_[static_cast<unsigned char>(token.content[0])] = true;
}

const AddedToken* AddedTokens::match_at(std::string_view text) const {
  const AddedToken* longest = nullptr;
  auto low = tokens_.begin(), high = tokens_.end();  // those that begin like the text
  for (size_t depth = 0; depth < text.size() && low != high; ++depth) {
    const auto byte = static_cast<unsigned char>(text[depth]);
    const auto at = [&](const AddedToken& token) { return static_cast<unsigned char>(token.content[depth]); };
    low = std::lower_bound(low, high, byte, [&](const AddedToken& token, unsigned char b) { return at(token) < b; });
    high = std::upper_bound(low, high, byte, [&](unsigned char b, const AddedToken& token) { return b < at(token); });
    if (low != high && low->content.size() == depth + 1) longest = &*low++;
  }
  return longest;
}

void AddedTokens::split(std::string_view text, const Sink& sink) const {
  size_t done = 0;
  for (size_t at = 0; !tokens_.empty() && at < text.size();) {
    const AddedToken* token = begins_[static_cast<unsigned char>(text[at])] ? match_at(text.substr(at)) : nullptr;
    if (!token) {
      ++at;
      continue;
    }
    const size_t begin = at;
    at += token->content.size();
    if (token->special && !with_special_) continue;
    const size_t from = token->strip_left ? space_before(text, std::min(done, begin), begin) : begin;
    if (from > done) sink(text.substr(done, from - done), nullptr);
    sink(text.substr(begin, at - begin), token);
    done = token->strip_right ? space_behind(text, at) : at;
  }
  if (done < text.size()) sink(text.substr(done), nullptr);
}

}  // namespace hyscale::data
