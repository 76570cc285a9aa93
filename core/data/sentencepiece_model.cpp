#include "core/data/sentencepiece_model.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "core/data/unicode.h"

namespace hyscale::data {
namespace {

/// Fields of a protocol buffer message: numbers (wire type 0), or bytes (wire type 2).
struct Field {
  uint32_t number = 0;
  uint64_t value = 0;
  std::string_view bytes{};
};

class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}
  /// The next field; nullopt at the end, or where the message is malformed.
  std::optional<Field> next() {
    const uint64_t tag = varint();
    Field field{.number = static_cast<uint32_t>(tag >> 3)};
    switch (failed_ ? 7 : tag & 7) {
      case 0:
        field.value = varint();
        break;
      case 1:
        field.bytes = take(8);
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5:
        field.bytes = take(4);
        break;
      default:
        failed_ = true;
    }
    return failed_ ? std::nullopt : std::optional(field);
  }

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_[0]);
      rest_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    failed_ = true;
    return 0;
  }
  std::string_view take(uint64_t size) {
    if (size > rest_.size()) failed_ = true;
    const auto bytes = rest_.substr(0, failed_ ? 0 : size);
    rest_.remove_prefix(bytes.size());
    return bytes;
  }

  std::string_view rest_;
  bool failed_ = false;
};

SentencePieceModel::Piece read_piece(std::string_view bytes) {
  SentencePieceModel::Piece piece;
  Message message(bytes);
  while (const auto field = message.next()) {
    if (field->number == 1) piece.text = field->bytes;
    if (field->number == 2 && field->bytes.size() == 4) std::memcpy(&piece.score, field->bytes.data(), 4);
    if (field->number == 3) piece.type = static_cast<SentencePieceModel::Type>(field->value);
  }
  return piece;
}

void read_trainer(std::string_view bytes, SentencePieceModel& model) {
  Message message(bytes);
  while (const auto field = message.next()) {
    if (field->number == 3) model.byte_pairs = field->value == 2;
    if (field->number == 35) model.byte_fallback = field->value != 0;
  }
}

void read_normalizer(std::string_view bytes, SentencePieceModel& model) {
  Message message(bytes);
  while (const auto field = message.next()) {
    if (field->number == 2) model.identity = field->bytes.empty();  // precompiled_charsmap
    if (field->number == 3) model.dummy_prefix = field->value != 0;
    if (field->number == 4) model.removes_extra_spaces = field->value != 0;
    if (field->number == 5) model.escapes_spaces = field->value != 0;
  }
}

bool begins_with_space(std::string_view text) { return text.starts_with(' ') || text.starts_with(kSentencePieceSpace); }

// The byte that a piece like <0x41> stands for.
std::optional<size_t> byte_of(std::string_view piece) {
  unsigned byte = 0;
  if (piece.size() != 6 || !piece.starts_with("<0x")) return std::nullopt;
  const auto [end, error] = std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16);
  return error == std::errc() && end == piece.data() + 5 ? std::optional<size_t>(byte) : std::nullopt;
}

using Type = SentencePieceModel::Type;

// False when a piece is of a kind, or lies where, words alone could not give the same ids.
bool take_pieces(const SentencePieceModel& source, BpeModel& model, WordIds& ids) {
  model.bytes.fill(-1);
  for (size_t i = 0; i < source.pieces.size(); ++i) {
    const auto& [text, score, type] = source.pieces[i];
    const auto id = static_cast<int32_t>(i);
    if (type == Type::unknown) model.unknown = id;
    if (type == Type::byte && source.byte_fallback)
      if (const auto byte = byte_of(text)) model.bytes[*byte] = id;
    if (type == Type::unused || type == Type::user_defined) return false;
    if (type != Type::normal) continue;
    if (text.empty() || sentencepiece_word(text) != text.size() || text.find(' ') != std::string_view::npos)
      return false;
    ids.emplace(text, id);
    size_t length = 0;
    const char32_t character = next_character(text, length);
    if (length == text.size()) model.characters.emplace(character, id);
  }
  const auto missing = std::count(model.bytes.begin(), model.bytes.end(), -1);
  return model.unknown >= 0 && missing == (source.byte_fallback ? 0 : 256) && ids.contains(kSentencePieceSpace);
}

bool knows_all_characters(const BpeModel& model, std::string_view piece) {
  for (size_t at = 0; at < piece.size();)
    if (!model.characters.contains(next_character(piece, at))) return false;
  return true;
}

}  // namespace

SentencePieceModel read_sentencepiece(std::string_view content) {
  SentencePieceModel model;
  Message message(content);
  while (const auto field = message.next()) {
    if (field->number == 1) model.pieces.push_back(read_piece(field->bytes));
    if (field->number == 2) read_trainer(field->bytes, model);
    if (field->number == 3) read_normalizer(field->bytes, model);
  }
  return model;
}

size_t sentencepiece_word(std::string_view text) {
  size_t at = 0;
  while (begins_with_space(text.substr(at))) at += text[at] == ' ' ? 1 : kSentencePieceSpace.size();
  while (at < text.size() && !begins_with_space(text.substr(at))) ++at;
  return at;
}

// SentencePiece merges the two neighbours that together are the piece of the highest score, the leftmost of equals.
std::optional<BpeModel> word_model(const SentencePieceModel& source) {
  if (!source.byte_pairs || !source.identity || source.dummy_prefix || source.removes_extra_spaces ||
      !source.escapes_spaces)
    return std::nullopt;
  BpeModel model{.of_bytes = false, .fuse_unknown = true};
  WordIds ids;
  if (!take_pieces(source, model, ids)) return std::nullopt;
  std::vector<std::string_view> by_score;
  for (const auto& [text, id] : ids) by_score.push_back(text);
  const auto score = [&](std::string_view text) {
    return source.pieces[static_cast<size_t>(ids.find(text)->second)].score;
  };
  std::sort(by_score.begin(), by_score.end(), [&](auto a, auto b) { return score(a) > score(b); });
  model.merges = MergeTable(by_score.size() * 4);
  int32_t rank = 0;
  for (size_t i = 0; i < by_score.size(); ++i) {
    const std::string_view text = by_score[i];
    if (!knows_all_characters(model, text)) return std::nullopt;
    if (i > 0 && score(text) < score(by_score[i - 1])) ++rank;
    for (size_t cut = 1; cut < text.size(); ++cut) {
      const auto left = ids.find(text.substr(0, cut)), right = ids.find(text.substr(cut));
      if (left != ids.end() && right != ids.end())
        model.merges.set(left->second, right->second, {rank, ids.find(text)->second});
    }
  }
  return model;
}

}  // namespace hyscale::data
