#pragma once

#include <memory>
#include <span>
#include <string>

namespace hyscale::data {

/// Bytes of a file, front to back.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Fills the front of `out` and says how much; 0 at the end. Throws IoError, and DamagedFile when a compressed file
  /// is torn or altered.
  virtual size_t read(std::span<char> out) = 0;
};

/// By name: .gz is gzip, .zst is Zstandard (both may hold several members), anything else is read as it is.
std::unique_ptr<ByteSource> open_byte_source(const std::string& path);

/// Lines of a source.
class LineReader {
 public:
  explicit LineReader(ByteSource& source) : source_(source), buffer_(size_t{1} << 18, '\0') {}
  /// False at the end. `line` comes without its '\n'; `ended` tells whether there was one.
  bool next(std::string& line, bool& ended);

 private:
  ByteSource& source_;
  std::string buffer_;
  size_t begin_ = 0, end_ = 0;
};

}  // namespace hyscale::data
