#pragma once

#include <span>

namespace hyscale::data {

/// Code points first … last, and one that PCRE2 10.42 takes for what they are.
struct StandIn {
  char32_t first, last, stand_in;
};
struct CodeRange {
  char32_t first, last;
};

/// Sorted; `stand_in` has the general category (and script, for Han, kana and Hangul) that Unicode 16 gives to the
/// range, and as many bytes in UTF-8. Written by tools/make-unicode-tables.py.
std::span<const StandIn> stand_in_table();
/// Sorted; characters after Unicode 9.0 that a normalisation would change or move.
std::span<const CodeRange> young_table();

}  // namespace hyscale::data
