#include "core/data/bpe_tokenizer.h"

#include <algorithm>

namespace hyscale::data {

BpeTokenizer::BpeTokenizer(BpeParts parts, bool with_special) : parts_(std::move(parts)) {
  std::vector<AddedToken> raw, in_normalized;
  for (AddedToken token : parts_.added) {
    if (token.normalized) token.content = normalize(token.content);
    (token.normalized ? in_normalized : raw).push_back(std::move(token));
  }
  raw_ = AddedTokens(std::move(raw), with_special);
  in_normalized_ = AddedTokens(std::move(in_normalized), with_special);
}

std::string BpeTokenizer::normalize(std::string text) const {
  for (const Normalizer& change : parts_.normalizers) change(text);
  return text;
}

void BpeTokenizer::encode(std::string_view text, std::vector<int32_t>& ids) const {
  const typename Pool<Workspace>::Lease work(workspaces_);
  if (raw_.empty()) return encode_plain(text, true, *work, ids);
  raw_.split(text, [&](std::string_view part, const AddedToken* token) {
    if (token)
      ids.push_back(token->id);
    else
      encode_plain(part, part.data() == text.data(), *work, ids);
  });
}

void BpeTokenizer::encode_plain(std::string_view text, bool first, Workspace& work, std::vector<int32_t>& ids) const {
  std::string changed;
  if (!parts_.normalizers.empty()) text = changed = normalize(std::string(text));
  if (in_normalized_.empty()) return encode_words(text, first, work, ids);
  in_normalized_.split(text, [&](std::string_view part, const AddedToken* token) {
    if (token)
      ids.push_back(token->id);
    else
      encode_words(part, first && part.data() == text.data(), work, ids);
  });
}

void BpeTokenizer::encode_words(std::string_view text, bool first, Workspace& work, std::vector<int32_t>& ids) const {
  parts_.pre_tokenizer.split(text, first, work.split, [&](std::string_view word) { encode_word(word, work, ids); });
}

void BpeTokenizer::encode_word(std::string_view word, Workspace& work, std::vector<int32_t>& ids) const {
  std::span<const int32_t> found = work.cache.find(word);
  if (found.empty()) {
    parts_.model.encode(word, work.model);
    found = work.model.tokens;
    work.cache.store(word, found);
  }
  ids.insert(ids.end(), found.begin(), found.end());
}

std::string BpeTokenizer::decode(std::span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids)
    if (id >= 0 && id < vocabulary()) text += parts_.texts[static_cast<size_t>(id)];
  size_t spaces = 0;
  while (spaces < std::min(parts_.strip_spaces, text.size()) && text[spaces] == ' ') ++spaces;
  return text.substr(spaces);
}

}  // namespace hyscale::data
