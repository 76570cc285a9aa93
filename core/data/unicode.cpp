#include "core/data/unicode.h"

#include <algorithm>
#include <array>
#include <utf8proc.h>
#include <vector>

#include "core/data/unicode_tables.h"

namespace hyscale::data {
namespace {

// The range that holds `character`, or null. The tables are sorted.
template <class Range>
const Range* find_range(std::span<const Range> table, char32_t character) {
  const auto after = std::upper_bound(table.begin(), table.end(), character,
                                      [](char32_t c, const Range& range) { return c < range.first; });
  if (after == table.begin() || character > std::prev(after)->last) return nullptr;
  return &*std::prev(after);
}

// Which blocks of 256 code points have any entry: nearly all text is passed over without a search.
template <class Range>
class Lookup {
 public:
  explicit Lookup(std::span<const Range> table) : table_(table), blocks_(0x1100, false) {
    for (const Range& range : table)
      for (char32_t block = range.first >> 8; block <= range.last >> 8; ++block) blocks_[block] = true;
  }
  const Range* find(char32_t character) const {
    return blocks_[character >> 8] ? find_range(table_, character) : nullptr;
  }

 private:
  std::span<const Range> table_;
  std::vector<bool> blocks_;
};

const Lookup<StandIn>& stand_ins() {
  static const Lookup lookup(stand_in_table());
  return lookup;
}

const Lookup<CodeRange>& young() {
  static const Lookup lookup(young_table());
  return lookup;
}

// Both tables begin beyond ASCII; a run of ASCII is skipped at once.
size_t skip_ascii(std::string_view text, size_t at) {
  while (at < text.size() && static_cast<signed char>(text[at]) >= 0) ++at;
  return at;
}

utf8proc_option_t options(Normalization form) {
  const auto of = [](auto... flags) { return static_cast<utf8proc_option_t>((UTF8PROC_STABLE | ... | flags)); };
  switch (form) {
    case Normalization::nfc:
      return of(UTF8PROC_COMPOSE);
    case Normalization::nfd:
      return of(UTF8PROC_DECOMPOSE);
    case Normalization::nfkc:
      return of(UTF8PROC_COMPOSE, UTF8PROC_COMPAT);
    case Normalization::nfkd:
      return of(UTF8PROC_DECOMPOSE, UTF8PROC_COMPAT);
  }
  return UTF8PROC_STABLE;
}

// Characters that stay as they are in NFC and do not combine with the one before: most text is made of them.
std::vector<bool> calm_characters() {
  std::vector<bool> calm(0x110000, true);
  for (utf8proc_int32_t c = 0x300; c < 0x110000; ++c) {
    if (utf8proc_get_property(c)->combining_class != 0) calm[static_cast<size_t>(c)] = false;
    std::array<utf8proc_int32_t, 32> parts{};
    int last_class = 0;
    const auto count = utf8proc_decompose_char(c, parts.data(), parts.size(), UTF8PROC_DECOMPOSE, &last_class);
    if (count == 1 && parts[0] == c) continue;
    calm[static_cast<size_t>(c)] = c >= 0xAC00 && c <= 0xD7A3;  // Hangul syllables are made of letters, and stay
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
      const auto part = static_cast<size_t>(parts[static_cast<size_t>(i)]);
      if (part >= 0x300) calm[part] = false;
    }
  }
  for (const CodeRange& range : young_table())
    for (char32_t c = range.first; c <= range.last; ++c) calm[c] = false;
  return calm;
}

bool is_calm(char32_t character) {
  static const std::vector<bool> calm = calm_characters();
  return calm[character];
}

// Decomposes, puts combining marks in order, composes. utf8proc_map does the same, but sorts in quadratic time.
void append_normalized(Normalization form, std::string_view text, std::string& out) {
  std::vector<utf8proc_int32_t> characters;
  std::array<utf8proc_int32_t, 32> parts{};
  for (size_t at = 0; at < text.size();) {
    int last_class = 0;
    const auto character = static_cast<utf8proc_int32_t>(next_character(text, at));
    const auto count = utf8proc_decompose_char(character, parts.data(), parts.size(), options(form), &last_class);
    characters.insert(characters.end(), parts.begin(), parts.begin() + std::max<utf8proc_ssize_t>(count, 0));
  }
  const auto order = [](utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; };
  for (auto begin = characters.begin(); begin != characters.end();) {
    const auto end = std::find_if(begin, characters.end(), [&](utf8proc_int32_t c) { return order(c) == 0; });
    std::stable_sort(begin, end, [&](utf8proc_int32_t a, utf8proc_int32_t b) { return order(a) < order(b); });
    begin = end == characters.end() ? end : end + 1;
  }
  const auto length =
      utf8proc_normalize_utf32(characters.data(), static_cast<utf8proc_ssize_t>(characters.size()), options(form));
  for (utf8proc_ssize_t i = 0; i < length; ++i)
    append_utf8(static_cast<char32_t>(characters[static_cast<size_t>(i)]), out);
}

}  // namespace

char32_t next_character(std::string_view text, size_t& at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const auto low = [&](size_t i) { return static_cast<char32_t>(byte(i) & 0x3F); };
  const unsigned char lead = byte(0);
  char32_t character = lead;
  size_t length = 1;
  if (lead >= 0xF0)
    character = (static_cast<char32_t>(lead & 7) << 18) | (low(1) << 12) | (low(2) << 6) | low(3), length = 4;
  else if (lead >= 0xE0)
    character = (static_cast<char32_t>(lead & 15) << 12) | (low(1) << 6) | low(2), length = 3;
  else if (lead >= 0xC0)
    character = (static_cast<char32_t>(lead & 31) << 6) | low(1), length = 2;
  at += length;
  return character;
}

void append_utf8(char32_t character, std::string& text) {
  const auto put = [&](char32_t byte) { text += static_cast<char>(byte); };
  if (character < 0x80) return put(character);
  if (character < 0x800) return put(0xC0 | (character >> 6)), put(0x80 | (character & 0x3F));
  if (character < 0x10000) {
    put(0xE0 | (character >> 12));
  } else {
    put(0xF0 | (character >> 18));
    put(0x80 | ((character >> 12) & 0x3F));
  }
  put(0x80 | ((character >> 6) & 0x3F));
  put(0x80 | (character & 0x3F));
}

bool with_stand_ins(std::string_view text, std::string& out) {
  bool found = false;
  size_t copied = 0;
  for (size_t at = skip_ascii(text, 0); at < text.size(); at = skip_ascii(text, at)) {
    const size_t begin = at;
    const StandIn* entry = stand_ins().find(next_character(text, at));
    if (!entry) continue;
    if (!found) out.clear();
    found = true;
    out.append(text, copied, begin - copied);
    append_utf8(entry->stand_in, out);
    copied = at;
  }
  if (found) out.append(text, copied);
  return found;
}

std::string normalized(Normalization form, std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const bool composed = form == Normalization::nfc;
  size_t done = 0;             // copied or normalised up to here
  size_t pending = text.npos;  // where characters begin that have to be normalised together
  size_t previous = 0;
  const auto flush = [&](size_t end) {
    if (pending != text.npos) append_normalized(form, text.substr(pending, end - pending), out), done = end;
    pending = text.npos;
  };
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t character = next_character(text, at);
    if (composed ? is_calm(character) : character < 0x80) {
      flush(begin);
    } else if (young().find(character)) {
      flush(begin);
      out.append(text, done, at - done), done = at;
    } else if (pending == text.npos) {
      pending = std::max(done, previous);  // it may change the character before
      out.append(text, done, pending - done);
    }
    previous = begin;
  }
  flush(text.size());
  out.append(text, done);
  return out;
}

}  // namespace hyscale::data
