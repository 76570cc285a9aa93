#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/data/added_tokens.h"
#include "core/data/bpe_model.h"
#include "core/data/pool.h"
#include "core/data/pre_tokenizer.h"
#include "core/data/tokenizer.h"
#include "core/data/word_cache.h"

namespace hyscale::data {

/// A change to text before it is split.
using Normalizer = std::function<void(std::string& text)>;

/// All that a file says of a byte-pair tokenizer, whatever its format.
struct BpeParts {
  std::string kind{}, file_name{}, file_content{};
  std::vector<Normalizer> normalizers{};
  PreTokenizer pre_tokenizer{};
  BpeModel model{};
  std::vector<AddedToken> added{};
  std::vector<std::string> texts{};  // of each id, as bytes; "" for special tokens and holes
  size_t strip_spaces = 0;           // spaces that decoding takes from the front: the model's own prefix
  int32_t bos = -1, eos = -1;
};

class BpeTokenizer final : public Tokenizer {
 public:
  /// `with_special`: special tokens in text are read as such, else they are plain text.
  BpeTokenizer(BpeParts parts, bool with_special);
  std::string kind() const override { return parts_.kind; }
  int64_t vocabulary() const override { return static_cast<int64_t>(parts_.texts.size()); }
  int32_t bos() const override { return parts_.bos; }
  int32_t eos() const override { return parts_.eos; }
  std::string file_name() const override { return parts_.file_name; }
  std::string file_content() const override { return parts_.file_content; }
  void encode(std::string_view text, std::vector<int32_t>& ids) const override;
  std::string decode(std::span<const int32_t> ids) const override;

 private:
  struct Workspace {
    PreTokenizer::Scratch split{};
    BpeModel::Scratch model{};
    WordCache cache{};
  };
  void encode_plain(std::string_view text, bool first, Workspace& work, std::vector<int32_t>& ids) const;
  void encode_words(std::string_view text, bool first, Workspace& work, std::vector<int32_t>& ids) const;
  void encode_word(std::string_view word, Workspace& work, std::vector<int32_t>& ids) const;
  std::string normalize(std::string text) const;

  BpeParts parts_;
  AddedTokens raw_, in_normalized_;  // looked for before and after normalisation
  mutable Pool<Workspace> workspaces_;
};

}  // namespace hyscale::data
