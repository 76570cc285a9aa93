#pragma once

#include <cstddef>
#include <string_view>

namespace hyscale::data {

/// Documents longer than this many bytes are encoded in pieces.
inline constexpr size_t kPieceBytes = size_t{1} << 20;

/// Where to cut a long text so that its pieces encode as the whole does, wherever words are found by white space:
/// before white space that follows a letter or a digit, as far back as possible in the last 64 KB of `text`; else
/// between two characters.
size_t cut_point(std::string_view text);

}  // namespace hyscale::data
