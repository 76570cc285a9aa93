#include "exchange/sentencepiece_json.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/data/sentencepiece_model.h"

namespace hyscale::exchange {
namespace {

using Model = data::SentencePieceModel;
using nlohmann::ordered_json;

/// "left right" of every two pieces that make up a third one, those that SentencePiece joins first in front.
ordered_json merges_of(const Model& model) {
  std::unordered_map<std::string_view, float> scores;
  std::vector<const Model::Piece*> pieces;
  for (const Model::Piece& piece : model.pieces)
    if (piece.type == Model::Type::normal) scores.emplace(piece.text, piece.score), pieces.push_back(&piece);
  std::stable_sort(pieces.begin(), pieces.end(), [](const auto* a, const auto* b) { return a->score > b->score; });
  ordered_json merges = ordered_json::array();
  for (const Model::Piece* piece : pieces)
    for (size_t cut = 1; cut < piece->text.size(); ++cut) {
      const std::string_view left = piece->text.substr(0, cut), right = piece->text.substr(cut);
      if (scores.contains(left) && scores.contains(right))
        merges.push_back(std::string(left).append(" ").append(right));
    }
  return merges;
}

ordered_json replace(const char* pattern, std::string_view content) {
  return {{"type", "Replace"}, {"pattern", {{"String", pattern}}}, {"content", content}};
}

}  // namespace

std::optional<std::string> sentencepiece_json(const data::Tokenizer& tokenizer) {
  const std::string content = tokenizer.file_content();
  const Model model = data::read_sentencepiece(content);
  if (!model.byte_fallback || !data::word_model(model)) return std::nullopt;
  ordered_json vocabulary, special = ordered_json::array(), unknown;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const Model::Piece& piece = model.pieces[id];
    vocabulary[std::string(piece.text)] = id;
    if (piece.type == Model::Type::unknown) unknown = piece.text;
    if (piece.type == Model::Type::unknown || piece.type == Model::Type::control)
      special.push_back({{"id", id},
                         {"content", piece.text},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false},
                         {"special", true}});
  }
  const std::string space(data::kSentencePieceSpace);
  const ordered_json decoders{replace(space.c_str(), " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
  const ordered_json json{{"version", "1.0"},
                          {"truncation", nullptr},
                          {"padding", nullptr},
                          {"added_tokens", special},
                          {"normalizer", replace(" ", space)},
                          {"pre_tokenizer", nullptr},
                          {"post_processor", nullptr},
                          {"decoder", {{"type", "Sequence"}, {"decoders", decoders}}},
                          {"model",
                           {{"type", "BPE"},
                            {"dropout", nullptr},
                            {"unk_token", unknown},
                            {"continuing_subword_prefix", nullptr},
                            {"end_of_word_suffix", nullptr},
                            {"fuse_unk", true},
                            {"byte_fallback", true},
                            {"ignore_merges", false},
                            {"vocab", vocabulary},
                            {"merges", merges_of(model)}}}};
  return json.dump(1) + "\n";
}

}  // namespace hyscale::exchange
