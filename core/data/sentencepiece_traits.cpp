#include "core/data/sentencepiece_traits.h"

#include <cstdint>
#include <optional>

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

void read_normalizer(std::string_view bytes, SentencePieceTraits& traits) {
  Message message(bytes);
  while (const auto field = message.next()) {
    if (field->number == 2) traits.identity = field->bytes.empty();  // precompiled_charsmap
    if (field->number == 3) traits.dummy_prefix = field->value != 0;
    if (field->number == 4) traits.removes_extra_spaces = field->value != 0;
    if (field->number == 5) traits.escapes_spaces = field->value != 0;
  }
}

}  // namespace

SentencePieceTraits sentencepiece_traits(std::string_view model) {
  SentencePieceTraits traits;
  Message message(model);
  while (const auto field = message.next()) {
    if (field->number == 3) read_normalizer(field->bytes, traits);
    if (field->number != 2) continue;
    Message trainer(field->bytes);
    while (const auto part = trainer.next())
      if (part->number == 3) traits.byte_pairs = part->value == 2;
  }
  return traits;
}

}  // namespace hyscale::data
