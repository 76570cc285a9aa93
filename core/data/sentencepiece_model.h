#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/data/bpe_model.h"

namespace hyscale::data {

constexpr std::string_view kSentencePieceSpace = "▁";  // how SentencePiece writes a space

/// What a SentencePiece file says (sentencepiece_model.proto; what is absent there has the defaults given here).
struct SentencePieceModel {
  enum class Type { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  struct Piece {
    std::string_view text{};  // inside the file's content
    float score = 0;
    Type type = Type::normal;
  };
  std::vector<Piece> pieces{};  // by id
  bool byte_pairs = false;      // model_type BPE
  bool byte_fallback = false;
  bool identity = true;  // no table of normalised characters
  bool dummy_prefix = true, removes_extra_spaces = true, escapes_spaces = true;
};
SentencePieceModel read_sentencepiece(std::string_view content);

/// Bytes of the first word of `text`: spaces (also written "▁"), and what follows them up to the next space.
size_t sentencepiece_word(std::string_view text);

/// The model as byte pairs of single words with their spaces, when that gives the ids that SentencePiece gives for
/// whole texts: byte pairs, text taken as it is, and no piece that reaches over a word. nullopt for any other model.
std::optional<BpeModel> word_model(const SentencePieceModel& model);

}  // namespace hyscale::data
