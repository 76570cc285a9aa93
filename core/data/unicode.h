#pragma once

#include <string>
#include <string_view>

namespace hyscale::data {

/// One character of valid UTF-8 at `at`, which moves behind it.
char32_t next_character(std::string_view text, size_t& at);
void append_utf8(char32_t character, std::string& text);

/// True when `text` holds characters that PCRE2 takes for another category than the tokenizers' own libraries do
/// (younger than its Unicode, or U+180E, which it counts as white space). `out` is then a copy of equal length with
/// stand-ins, to be split where the original would be.
bool with_stand_ins(std::string_view text, std::string& out);

enum class Normalization { nfc, nfd, nfkc, nfkd };

/// Normalised as PyPI's tokenizers does, which knows Unicode 9.0: later characters stay and keep their place.
std::string normalized(Normalization form, std::string_view text);

}  // namespace hyscale::data
