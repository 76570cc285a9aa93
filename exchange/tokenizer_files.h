#pragma once

#include <map>
#include <string>

#include "core/data/tokenizer.h"
#include "exchange/model_config.h"

namespace hyscale::exchange {

/// What an exported model carries so that text becomes the ids it was trained on.
struct TokenizerFiles {
  FrameIds ids{};
  std::map<std::string, std::string> files{};  // name → content
  std::string note;                            // for people: what is there, or why nothing is
};

/// byte: a tokenizer.json of 256 byte tokens. huggingface: the tokenizer.json as it is. SentencePiece and tiktoken:
/// their own file, copied. none: nothing. `context` is the longest text, in tokens, for tokenizer_config.json.
TokenizerFiles tokenizer_files(const data::Tokenizer& tokenizer, int64_t context);

}  // namespace hyscale::exchange
