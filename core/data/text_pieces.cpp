#include "core/data/text_pieces.h"

#include <algorithm>
#include <cctype>

namespace hyscale::data {

size_t cut_point(std::string_view text) {
  constexpr size_t kLookBack = size_t{1} << 16;
  const size_t lowest = text.size() - std::min(text.size() - 1, kLookBack);
  for (size_t at = text.size() - 1; at >= lowest && at > 0; --at)
    if ((text[at] == ' ' || text[at] == '\n') && std::isalnum(static_cast<unsigned char>(text[at - 1])) != 0) return at;
  size_t at = text.size() - 1;
  while (at > 1 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;  // continuation bytes are 10xxxxxx
  return at;
}

}  // namespace hyscale::data
