#include "storage/files/journal.h"

#include <fmt/format.h>

#include "core/base/hash.h"
#include "tests/fuzz/target.h"

/// As it is, and with a checksum before each line that holds: what a checksum protects must be read with care as well.
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hyscale;
  return fuzz::try_to(data, size, [](std::string_view text) {
    const std::string path = fuzz::scratch() / "journal";
    replace_file(path, text);
    storage::read_journal(path);
    std::string signed_lines;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      std::string_view line = text.substr(begin, end - begin);
      if (const size_t brace = line.find('{'); brace == 9) line.remove_prefix(brace);
      signed_lines += fmt::format("{:08x} {}\n", crc32_of(line), line);
      begin = end + 1;
    }
    replace_file(path, signed_lines);
    storage::read_journal(path);
  });
}
