#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hyscale::data {

/// Offset of the first byte that is no UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF);
/// npos when all is well.
size_t invalid_utf8(std::string_view text);

/// Puts U+FFFD in the place of each byte that belongs to no character; says how many places (runs of such bytes) there
/// were.
int64_t replace_invalid_utf8(std::string& text);

}  // namespace hyscale::data
