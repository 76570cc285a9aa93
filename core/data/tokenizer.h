#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/spec/corpus_manifest.h"

namespace hyscale::data {

/// Text to ids and back. Const members may be called from several threads at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual std::string kind() const = 0;          // "byte" | "bpe" (SentencePiece) | "huggingface" | "tiktoken" | "none"
  virtual int64_t vocabulary() const = 0;        // special tokens included
  virtual int32_t bos() const = 0;               // begins every document
  virtual int32_t eos() const = 0;               // ends every document
  virtual std::string file_name() const = 0;     // inside a corpus directory
  virtual std::string file_content() const = 0;  // its SHA-256 is the tokenizer's identity
  /// Appends the ids of UTF-8 `text`, without BOS and EOS. Text that looks like a special token is plain text.
  virtual void encode(std::string_view text, std::vector<int32_t>& ids) const = 0;
  /// The text again; special tokens give nothing. Part of a document may end inside a character.
  virtual std::string decode(std::span<const int32_t> ids) const = 0;
};

/// Ids 0 … 255 are bytes, BOS is 256, EOS 257.
std::unique_ptr<Tokenizer> byte_tokenizer();

/// Stands for a tokenizer that is not at hand: it knows its ids (bos, eos: -1 for none) and refuses text with a
/// ConfigError.
std::unique_ptr<Tokenizer> unknown_tokenizer(int64_t vocabulary, int32_t bos, int32_t eos);

/// Trains byte-pair encoding with SentencePiece: identity normalisation, byte fallback, no dummy prefix, so that decode
/// gives back every text. Equal texts give an equal model. Throws ConfigError when `texts` do not carry `vocabulary`.
std::unique_ptr<Tokenizer> train_bpe(const std::vector<std::string>& texts, int64_t vocabulary);

/// The tokenizer of a prepared corpus, with the corpus's BOS and EOS. Throws DamagedFile when its file is not the one
/// the manifest names. `with_special`: special tokens in text are read as such.
std::unique_ptr<Tokenizer> open_tokenizer(const spec::CorpusManifest& manifest, bool with_special = false);

}  // namespace hyscale::data
