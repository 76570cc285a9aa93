#pragma once

#include <string_view>

namespace hyscale::data {

/// What SentencePiece's library does not tell of a model: parts of its trainer_spec and normalizer_spec
/// (sentencepiece_model.proto; what is absent there has the defaults given here).
struct SentencePieceTraits {
  bool byte_pairs = false;  // model_type BPE
  bool identity = true;     // no table of normalised characters
  bool dummy_prefix = true, removes_extra_spaces = true, escapes_spaces = true;
};
SentencePieceTraits sentencepiece_traits(std::string_view model);

}  // namespace hyscale::data
