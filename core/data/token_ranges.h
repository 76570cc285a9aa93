#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/files.h"
#include "core/spec/corpus_manifest.h"

namespace hyscale::data {

/// The tokens of one split: numbers in one or several mapped files, end to end. Nothing is copied.
class TokenRanges {
 public:
  /// Throws IoError when a file cannot be opened, DamagedFile when its size is not the one that was noted.
  explicit TokenRanges(const std::vector<spec::TokenRange>& ranges);

  int64_t size() const { return begins_.back(); }
  /// Copies numbers [begin, begin + out.size()). Throws ShapeError when they reach beyond the end.
  void read(int64_t begin, std::span<int32_t> out) const;
  /// A file was written to since its time was noted: its content must be looked at again.
  bool modified() const;
  /// SHA-256 of the numbers as `width` bytes each (2 or 4), whatever width the files have: the same tokens have one
  /// hash. Reads everything.
  std::string sha256(uint32_t width) const;

 private:
  std::vector<spec::TokenRange> ranges_;
  std::vector<MappedFile> maps_;
  std::vector<int64_t> begins_{0};  // first number of each range; then the total
};

/// Size and time of writing of a file, as a range that holds nothing yet. Throws IoError.
spec::TokenRange range_of_file(const std::string& path);

/// Bytes per number of a corpus's tokens, in its own files and under its hashes.
inline uint32_t token_width(int64_t vocabulary) { return vocabulary <= 65536 ? 2 : 4; }

/// Copies `out.size()` numbers of `width` bytes; what does not fit an int32 loses its high bits.
void copy_numbers(const std::byte* from, int64_t width, std::span<int32_t> out);

}  // namespace hyscale::data
