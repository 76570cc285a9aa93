#pragma once

#include <optional>
#include <string>

#include "core/data/tokenizer.h"

namespace hyscale::exchange {

/// A SentencePiece model as tokenizer.json, where one of byte pairs says all of it: text taken as it is, spaces kept as
/// they are, unknown characters as bytes, which is how `hybrid-worker data --tokenizer bpe:N` trains them. nullopt for
/// any other model.
std::optional<std::string> sentencepiece_json(const data::Tokenizer& tokenizer);

}  // namespace hyscale::exchange
