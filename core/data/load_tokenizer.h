#pragma once

#include "core/data/tokenizer.h"

namespace hyscale::data {

struct LoadOptions {
  std::string bos{}, eos{};          // texts of the tokens that begin and end documents; "": found in the file
  int64_t bos_id = -1, eos_id = -1;  // taken as they are when not negative: those of a corpus
  bool needs_frame = true;           // a file without them is refused; else bos() and eos() may be -1
  bool with_special = false;         // special tokens in text are read as such, else they are plain text
};

/// The tokenizer that `word` names: `byte`; a Hugging Face tokenizer.json; a SentencePiece .model; a file of tiktoken
/// ranks with its pattern, FILE@cl100k; the tokenizer file of a corpus. Told apart by content. Throws ConfigError with
/// all that is wrong or unsupported, and where; IoError when the file cannot be read.
std::unique_ptr<Tokenizer> load_tokenizer(const std::string& word, const LoadOptions& options);

/// Whether `word` names a file (with a pattern or without): what load_tokenizer reads.
bool names_tokenizer_file(const std::string& word);

/// Each format by itself; `path` is for messages.
std::unique_ptr<Tokenizer> load_tokenizer_json(std::string content, const std::string& path,
                                               const LoadOptions& options);
std::unique_ptr<Tokenizer> load_sentencepiece(std::string model, const std::string& path, const LoadOptions& options);
std::unique_ptr<Tokenizer> load_ranks(std::string content, const std::string& path, const std::string& preset,
                                      const LoadOptions& options);

}  // namespace hyscale::data
