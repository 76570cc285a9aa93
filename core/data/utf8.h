#pragma once

#include <string_view>

namespace hyscale::data {

/// Offset of the first byte that is no UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF);
/// npos when all is well.
size_t invalid_utf8(std::string_view text);

}  // namespace hyscale::data
