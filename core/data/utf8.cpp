#include "core/data/utf8.h"

#include <cstdint>
#include <cstring>

namespace hyscale::data {
namespace {

// Bytes of the character that starts `text`, 0 when it is malformed.
size_t character_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xED && byte(1) > 0x9F;
  const bool beyond = lead == 0xF4 && byte(1) > 0x8F;
  return overlong || surrogate || beyond ? 0 : length;
}

}  // namespace

size_t invalid_utf8(std::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080u;
  size_t at = 0;
  while (at < text.size()) {
    uint64_t eight = kHighBits;
    if (at + sizeof eight <= text.size()) std::memcpy(&eight, text.data() + at, sizeof eight);
    if ((eight & kHighBits) == 0) {
      at += sizeof eight;
      continue;
    }
    const size_t length = character_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

int64_t replace_invalid_utf8(std::string& text) {
  std::string cleaned;
  std::string_view rest = text;
  int64_t places = 0;
  bool inside = false;  // of a run
  for (size_t at = invalid_utf8(rest); at != std::string_view::npos; at = invalid_utf8(rest)) {
    if (!inside || at > 0) ++places;
    inside = true;
    cleaned += rest.substr(0, at);
    cleaned += "\xEF\xBF\xBD";
    rest.remove_prefix(at + 1);
  }
  cleaned += rest;
  text = std::move(cleaned);
  return places;
}

}  // namespace hyscale::data
